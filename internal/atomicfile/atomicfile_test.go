package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"airplay2mqtt/internal/atomicfile"
)

func TestWriteReplacesAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "devices.json")
	for _, text := range []string{"old", "new"} {
		if err := atomicfile.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); string(got) != "new" {
		t.Errorf("got %q, %v, want new", got, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode: got %v, want %v", got, want)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("got %d files, want 1", len(entries))
	}
}

func TestWriteIntoAFolderThatIsNotThere(t *testing.T) {
	if err := atomicfile.Write(filepath.Join(t.TempDir(), "no", "x"), nil); !os.IsNotExist(err) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}
