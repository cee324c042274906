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

func TestWhatIsSetAsideStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "devices.json")
	for i, want := range []string{path + ".corrupt", path + ".corrupt2", path + ".corrupt3"} {
		text := string(rune('a' + i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		aside, err := atomicfile.SetAside(path)
		if err != nil || aside != want {
			t.Errorf("got %s, %v, want %s", aside, err, want)
		}
		if kept, _ := os.ReadFile(aside); string(kept) != text {
			t.Errorf("%s: got %q, want %q", aside, kept, text)
		}
	}
}

func TestAFolderIsMadeAndTried(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "a", "b")
	if err := atomicfile.Writable(folder); err != nil {
		t.Errorf("got %v, want a folder", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("got %v, %v, want an empty folder", entries, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Writable(file); err == nil {
		t.Error("a file is no folder, and that is not said")
	}
}
