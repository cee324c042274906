package repo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDecisionsAreNumberedOnce(t *testing.T) {
	files, err := filepath.Glob(root + "/docs/decisions/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d decisions and %v", len(files), err)
	}
	for i, file := range files { // in the order of their names
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(filepath.Base(file), fmt.Sprintf("%04d-", i+1)) {
			t.Errorf("%s is number %d", file, i+1)
		}
		if want := fmt.Sprintf("# %04d ", i+1); !strings.HasPrefix(string(text), want) {
			t.Errorf("%s does not begin with %q", file, want)
		}
	}
}
