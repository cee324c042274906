package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A PathError says why a path is not opened although it may exist.
type PathError struct {
	Path string // as it was asked for
	Why  string
}

func (e *PathError) Error() string { return fmt.Sprintf("%q %s", e.Path, e.Why) }

// Folders are the places that files are played from. A nil *Folders has none.
type Folders struct{ paths []string }

// NewFolders allows what lies below the paths. They need not exist yet.
func NewFolders(paths ...string) *Folders {
	f := &Folders{}
	for _, p := range paths {
		if abs, err := filepath.Abs(p); err == nil {
			f.paths = append(f.paths, abs)
		}
	}
	return f
}

// Open opens a file or a folder below one of the folders, the first that has
// it. A path is relative to the folders, or absolute and inside one of them.
// Links are followed while they stay inside. Fifos and devices are refused and
// never opened.
//
// The error is a *PathError for what is not allowed and wraps fs.ErrNotExist
// for what is not there.
func (f *Folders) Open(path string) (*os.File, error) {
	if f == nil || len(f.paths) == 0 {
		return nil, &PathError{path, "cannot be played: no media folder is configured (media.folders)"}
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, &PathError{path, "is no path"}
	}
	var refused error
	inside := false
	for _, folder := range f.paths {
		local, ok := below(folder, path)
		if !ok {
			continue
		}
		inside = true
		file, err := open(folder, local, path)
		if err == nil {
			return file, nil
		}
		if refused == nil && !errors.Is(err, fs.ErrNotExist) {
			refused = err
		}
	}
	switch {
	case refused != nil:
		return nil, refused
	case !inside:
		return nil, &PathError{path, "lies outside the media folders"}
	}
	return nil, fmt.Errorf("%q is not in the media folders: %w", path, fs.ErrNotExist)
}

// Allow tells whether a path may be opened that is no regular file, a fifo or a
// socket that sound comes from: whether it, without any link, lies below one of
// the folders. If not, the error is a *PathError.
func (f *Folders) Allow(path string) error {
	outside := &PathError{path, "lies outside the media folders"}
	if f == nil {
		return outside
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return outside
	}
	for _, folder := range f.paths {
		if folder, err = filepath.EvalSymlinks(folder); err != nil {
			continue
		}
		if _, ok := below(folder, real); ok {
			return nil
		}
	}
	return outside
}

// below makes a path relative to a folder, if it stays inside it.
func below(folder, path string) (local string, ok bool) {
	if filepath.IsAbs(path) {
		rel, err := filepath.Rel(folder, filepath.Clean(path))
		if err != nil {
			return "", false
		}
		path = rel
	}
	return filepath.Clean(path), filepath.IsLocal(path)
}

// open looks before it opens, because opening a fifo or a device does things,
// and looks again at what it opened, because it may have been exchanged.
func open(folder, local, asked string) (*os.File, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(local)
	if err != nil {
		return nil, explain(err, asked)
	}
	if err := harmless(info, asked); err != nil {
		return nil, err
	}
	file, err := root.OpenFile(local, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, explain(err, asked)
	}
	if info, err = file.Stat(); err == nil {
		err = harmless(info, asked)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func harmless(info fs.FileInfo, asked string) error {
	if info.Mode().IsRegular() || info.IsDir() {
		return nil
	}
	return &PathError{asked, "is not a regular file"}
}

// explain tells what os.Root refuses from what is merely absent. Root has no
// error of its own for a link that leads out.
func explain(err error, asked string) error {
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%q is not in the media folders: %w", asked, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return &PathError{asked, "may not be read by the user that the bridge runs as"}
	case errors.As(err, &pe) && strings.Contains(pe.Err.Error(), "escapes"):
		return &PathError{asked, "leads out of the media folders by a link"}
	}
	return err
}
