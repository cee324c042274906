package media_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"airplay2mqtt/bridge/media"
)

// house makes two media folders beside a secret that must never be opened.
func house(t *testing.T) (first, second, secret string) {
	t.Helper()
	dir := t.TempDir()
	first, second, secret = filepath.Join(dir, "media"), filepath.Join(dir, "more"), filepath.Join(dir, "secret")
	for path, text := range map[string]string{
		filepath.Join(first, "bell.wav"):         "first",
		filepath.Join(first, "deep", "bell.wav"): "deep",
		filepath.Join(second, "bell.wav"):        "second",
		filepath.Join(second, "only.wav"):        "only",
		secret:                                   "secret",
		filepath.Join(dir, "media-not", "x.wav"): "not",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return first, second, secret
}

func TestFilesInsideTheFoldersAreOpened(t *testing.T) {
	first, second, _ := house(t)
	if err := os.Symlink("deep/bell.wav", filepath.Join(first, "link.wav")); err != nil {
		t.Skip("this system has no links")
	}
	folders := media.NewFolders(first, second)
	for path, want := range map[string]string{
		"bell.wav":                               "first",
		"./deep/../bell.wav":                     "first",
		"deep/bell.wav":                          "deep",
		"link.wav":                               "deep",
		"only.wav":                               "only",
		filepath.Join(second, "bell.wav"):        "second",
		filepath.Join(first, "../more/only.wav"): "only",
	} {
		f, err := folders.Open(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got, _ := io.ReadAll(f)
		f.Close()
		if string(got) != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestNothingOutsideIsOpened(t *testing.T) {
	first, second, secret := house(t)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink(secret, filepath.Join(first, "out.wav")))
	must(os.Symlink("../secret", filepath.Join(first, "out2.wav")))
	must(os.Symlink("..", filepath.Join(first, "up")))
	if runtime.GOOS != "windows" {
		must(syscall.Mkfifo(filepath.Join(first, "fifo.wav"), 0o644))
	}
	folders := media.NewFolders(first, second)
	for _, path := range []string{
		"", "a\x00b", "..", "../secret", "deep/../../secret", secret, "/etc/passwd", "/proc/self/fd/0", "/dev/zero",
		"out.wav", "out2.wav", "up/secret", "fifo.wav", "up",
		first + "-not/x.wav", strings.Repeat("../", 40) + "etc/passwd",
	} {
		f, err := folders.Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%q was opened", path)
			continue
		}
		var refused *media.PathError
		if !errors.As(err, &refused) {
			t.Errorf("%q: got %v, want a *PathError", path, err)
		}
	}
}

func TestFoldersInsideAreOpened(t *testing.T) {
	first, second, _ := house(t)
	for _, path := range []string{"deep", ".", first, second} {
		f, err := media.NewFolders(first, second).Open(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if info, err := f.Stat(); err != nil || !info.IsDir() {
			t.Errorf("%s: got no folder", path)
		}
		f.Close()
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	first, second, _ := house(t)
	folders := media.NewFolders(first, second, filepath.Join(first, "never made"))
	for _, path := range []string{"no.wav", "..%2fsecret", `..\secret`, "bell.wav/x", "deep/no/no.wav"} {
		if _, err := folders.Open(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, want fs.ErrNotExist", path, err)
		}
	}
	var none *media.Folders
	if _, err := none.Open("bell.wav"); err == nil {
		t.Error("no folders: a file was opened")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("../secret")
	f.Add("deep/../../secret")
	f.Add("up/../..//secret")
	dir := f.TempDir()
	inside := filepath.Join(dir, "media")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o644); err != nil {
		f.Fatal(err)
	}
	folders := media.NewFolders(inside)
	f.Fuzz(func(t *testing.T, path string) {
		file, err := folders.Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		if info, err := file.Stat(); err != nil || !info.IsDir() {
			t.Errorf("%q: there is no file inside, and something was opened", path)
		}
		if names, _ := file.Readdirnames(-1); len(names) > 0 {
			t.Errorf("%q: a folder with %v was opened", path, names)
		}
	})
}

func TestInputsAreAllowedInsideTheFoldersOnly(t *testing.T) {
	first, _, secret := house(t)
	inside := filepath.Join(first, "live")
	if err := os.WriteFile(inside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(first, "out")
	if err := os.Symlink(secret, out); err != nil {
		t.Fatal(err)
	}
	f := media.NewFolders(first)
	if err := f.Allow(inside); err != nil {
		t.Errorf("inside: got %v, want nil", err)
	}
	for _, path := range []string{secret, out, filepath.Join(first, "..", "x"), filepath.Join(first, "none"), ""} {
		var refused *media.PathError
		if err := f.Allow(path); !errors.As(err, &refused) {
			t.Errorf("%q: got %v, want a *PathError", path, err)
		}
	}
	if err := (*media.Folders)(nil).Allow(inside); err == nil {
		t.Error("no folders allow a path")
	}
}
