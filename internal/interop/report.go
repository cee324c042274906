//go:build linux

package interop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// Note puts a measured value into the report that ends the run: what was
// measured, what it was, and what it should be.
func Note(t testing.TB, what, got, want string) {
	t.Helper()
	t.Logf("%s: %s (%s)", what, got, want)
	f, err := os.OpenFile(reportPath(os.Getenv(envDir)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\t%s\t%s\n", what, got, want); err != nil {
		t.Fatal(err)
	}
}

// printReport shows what was noted, sorted, since tests run in any order, and
// keeps a copy at the path if that is not empty.
func printReport(dir, path string) error {
	noted, err := os.ReadFile(reportPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lines := slices.Sorted(strings.Lines(string(noted)))
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "measured\tgot\twanted\n%s", strings.Join(lines, ""))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println(text.String())
	if path == "" {
		return nil
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

func reportPath(dir string) string { return filepath.Join(dir, "report.tsv") }
