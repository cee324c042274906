// Package atomicfile writes files that are whole or not there: whoever reads
// one, also after the power failed, finds the old text or the new.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write replaces the file at path, readable for its owner only.
func Write(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is gone already where all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// SetAside keeps a file that cannot be understood where nothing is written over
// it, also not by the next one, and tells where that is.
func SetAside(path string) (aside string, err error) {
	aside = path + ".corrupt"
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); err != nil {
			break
		}
		aside = fmt.Sprintf("%s.corrupt%d", path, n)
	}
	return aside, os.Rename(path, aside)
}

// Writable tells whether files can be written into a folder, which it makes if
// it is not there.
func Writable(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".writable.*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
