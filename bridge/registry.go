package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/atomicfile"
)

// A record is what is remembered of a device from one run to the next: its
// slug, so that topics stay, and where it was, so that it can be played to
// before it is found again.
type record struct {
	Slug      string           `json:"slug"`
	Name      string           `json:"name,omitempty"`       // what it was renamed to
	Static    bool             `json:"static,omitempty"`     // it comes from the configuration
	Leader    string           `json:"leader,omitempty"`     // it is half of the stereo pair that this one leads, and not shown
	Volume    *float64         `json:"volume,omitempty"`     // 0 to 1, as it was last set
	Joined    string           `json:"joined,omitempty"`     // the id of the device whose group it has joined
	Offset    *float64         `json:"offset,omitempty"`     // in milliseconds, where it was set at run time
	Latency   config.Latency   `json:"latency,omitempty"`    // likewise; zero: as is configured
	MaxVolume config.Percent   `json:"max_volume,omitempty"` // likewise
	Group     *groupRecord     `json:"group,omitempty"`      // it is a group of others
	Learned   *learned         `json:"learned,omitempty"`
	LastSeen  time.Time        `json:"last_seen"`
	Device    discovery.Device `json:"device"`
}

// A groupRecord is what is remembered of a group beside that.
type groupRecord struct {
	Members []string `json:"members"`          // slugs, names or ids, as they were given
	Static  bool     `json:"static,omitempty"` // it comes from the configuration
}

// A registry is the memory of all devices, by their id, in one file. It is
// used by one goroutine, but for what prepare returns.
type registry struct {
	path    string // "": nothing is kept
	devices map[string]*record
	dirty   bool
	made    int // how many files were prepared

	writing sync.Mutex // one file is written at a time
	written int        // the newest that was; guarded by writing
}

// registryFile is the form of the file. The version changes when an older
// program could not read it.
type registryFile struct {
	Version int                `json:"version"`
	Devices map[string]*record `json:"devices"`
}

const registryVersion = 1

// errCorrupt is for what is remembered and cannot be understood.
var errCorrupt = errors.New("cannot be understood")

// openRegistry reads what is remembered in a folder, which it makes. A file
// that cannot be understood is kept aside, and the error says so; the registry
// is usable also where there is an error.
func openRegistry(folder string) (*registry, error) {
	r := &registry{devices: map[string]*record{}}
	path := filepath.Join(folder, "devices.json")
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		r.path = path // there may be a folder later
		return r, nil
	default:
		return r, fmt.Errorf("what is known of devices: %w", err)
	}
	if why := r.decode(text); why != nil {
		aside, err := atomicfile.SetAside(path)
		if err != nil {
			return r, fmt.Errorf("%s %w (%w), nor be set aside: %w", path, errCorrupt, why, err)
		}
		r.path = path
		return r, fmt.Errorf("devices.json %w (%w); it is kept as %s, and devices get their names anew", errCorrupt, why, aside)
	}
	r.path = path
	return r, nil
}

func (r *registry) decode(text []byte) error {
	var f registryFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Version != registryVersion {
		return fmt.Errorf("it has version %d, and this program reads %d", f.Version, registryVersion)
	}
	for id, rec := range f.Devices {
		if rec == nil || rec.Slug == "" || rec.Slug != slugOf(rec.Slug) || reserved[rec.Slug] {
			return fmt.Errorf("the device %q has no usable slug", id)
		}
		rec.Device.ID = id
	}
	if f.Devices != nil {
		r.devices = f.Devices
	}
	return nil
}

// get finds what is remembered of a device, or begins to remember it under a
// slug of its own.
func (r *registry) get(id, name string) *record {
	if rec, ok := r.devices[id]; ok {
		return rec
	}
	rec := &record{Device: discovery.Device{ID: id, Name: name}}
	rec.Slug = uniqueSlug(name, id, func(slug string) bool {
		_, taken := r.bySlug(slug)
		return taken
	})
	r.devices[id] = rec
	r.dirty = true
	return rec
}

func (r *registry) bySlug(slug string) (id string, ok bool) {
	for id, rec := range r.devices {
		if rec.Slug == slug {
			return id, true
		}
	}
	return "", false
}

// find resolves what stands in a topic: a slug, or a device's id.
func (r *registry) find(word string) (id string, ok bool) {
	if id, ok := r.bySlug(word); ok {
		return id, true
	}
	id = strings.ToUpper(word)
	if _, ok := r.devices[id]; ok {
		return id, true
	}
	return "", false
}

// save writes what changed since the last time.
func (r *registry) save() error {
	write, err := r.prepare()
	if err == nil && write != nil {
		err = write()
	}
	r.dirty = r.dirty || err != nil
	return err
}

// prepare makes what is to be written, if anything changed since the last time,
// and what writes it, which may be done by another goroutine: the disk may be
// slow. What is newer is never overwritten.
func (r *registry) prepare() (write func() error, err error) {
	if !r.dirty || r.path == "" {
		return nil, nil
	}
	text, err := json.MarshalIndent(registryFile{registryVersion, r.devices}, "", "  ")
	if err != nil {
		return nil, err
	}
	r.dirty = false
	r.made++
	path, number := r.path, r.made
	return func() error {
		r.writing.Lock()
		defer r.writing.Unlock()
		if number < r.written {
			return nil
		}
		err := atomicfile.Write(path, append(text, '\n'))
		if err == nil {
			r.written = number
		}
		return err
	}, nil
}
