package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"airplay2mqtt/internal/atomicfile"
)

// A journal keeps on disk which speakers are as loud as an announcement wants
// and not as their users do. If the bridge is killed meanwhile, the next one
// finds what to bring back. Its methods may be called from any goroutine.
type journal struct {
	path   string // "": nothing is kept
	mu     sync.Mutex
	raised map[string]float64 // by the device's id: the volume that is to come back, 0 to 1
}

const journalVersion = 1

type journalFile struct {
	Version int                `json:"version"`
	Raised  map[string]float64 `json:"raised"`
}

// openJournal reads what the bridge before has left in a folder. The journal
// is usable also where there is an error.
func openJournal(folder string) (*journal, error) {
	j := &journal{path: filepath.Join(folder, "raised.json"), raised: map[string]float64{}}
	text, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, fmt.Errorf("which volumes are to be brought back: %w", err)
	}
	var f journalFile
	err = json.Unmarshal(text, &f)
	if err == nil && f.Version != journalVersion {
		err = fmt.Errorf("it has version %d, and this program reads %d", f.Version, journalVersion)
	}
	if err != nil {
		aside, e := atomicfile.SetAside(j.path)
		return j, errors.Join(fmt.Errorf("which volumes are to be brought back %w (%w); it is kept as %s", errCorrupt, err, aside), e)
	}
	for id, level := range f.Raised {
		if level >= 0 && level <= 1 {
			j.raised[id] = level
		}
	}
	return j, nil
}

// left is what is to be brought back.
func (j *journal) left() map[string]float64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.raised)
}

// begin notes the volume that a device is to have back, unless one is noted
// already.
func (j *journal) begin(id string, was float64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.raised[id]; ok {
		return nil
	}
	j.raised[id] = was
	return j.write()
}

// end notes that a device has its volume back.
func (j *journal) end(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.raised[id]; !ok {
		return nil
	}
	delete(j.raised, id)
	return j.write()
}

// write replaces the file. It does not wait for the disk: a program that is
// killed loses nothing that it wrote, and an announcement does not wait for a
// slow card.
func (j *journal) write() error {
	if len(j.raised) == 0 {
		return os.Remove(j.path)
	}
	text, err := json.Marshal(journalFile{journalVersion, j.raised})
	if err != nil {
		return err
	}
	next := j.path + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, j.path)
}
