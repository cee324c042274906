// Package atomicfile writes files that are whole or not there: whoever reads
// one, also after the power failed, finds the old text or the new.
package atomicfile

import (
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
