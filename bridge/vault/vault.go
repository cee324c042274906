// Package vault keeps the credentials of paired devices on disk.
//
//	v, err := vault.Open(folder, key) // usable also where there is an error
//	v.Put(id, vault.Entry{Credentials: credentials, Key: announced})
//	entry, ok := v.Get(id)
//
// They are in one file, credentials.json, which only its owner can read and
// which is replaced as a whole. With a key it is encrypted. What another program
// on this machine writes, such as `bridge pair`, is seen at the next Get.
package vault

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/internal/atomicfile"

	"github.com/rs/zerolog"
)

// FileName is the name of the file in the data folder.
const FileName = "credentials.json"

// Errors of a vault.
var (
	// ErrLocked is wrapped where the file is encrypted and the key is missing
	// or wrong. The file is left as it is, and nothing is written over it.
	ErrLocked = errors.New("the credentials are encrypted, and the key (credentials.key or key_file) is missing or another")
	// ErrCorrupt is wrapped where the file could not be understood. It is kept
	// aside.
	ErrCorrupt = errors.New("the credentials cannot be understood")
)

// An Entry is what is kept of a device.
type Entry struct {
	Credentials airplay.Credentials
	// Key is what the device announced when it was paired. Nil: nothing.
	Key  []byte
	Name string // of the device, for people who look into an export
	At   time.Time
}

// A Vault holds the entries by the ids of devices. Its methods may be called by
// any goroutine.
type Vault struct {
	// Logger hears of a file that turns out to be corrupt later. Set it before
	// the first Get; the zero value is silent.
	Logger zerolog.Logger

	path string
	lock *lock // nil: nothing is encrypted

	mu      sync.Mutex
	entries map[string]Entry
	age     int         // how often entries have changed
	seen    os.FileInfo // the file that entries are of; nil: there was none
	sealed  error       // why the file must not be written
}

// row is an Entry in the file.
type row struct {
	Credentials string    `json:"credentials"`
	ReceiverKey string    `json:"receiver_key,omitempty"` // where credentials have no place for it
	Key         string    `json:"announced_key,omitempty"`
	Name        string    `json:"name,omitempty"`
	At          time.Time `json:"paired_at"`
}

const version = 1

// file is the form of the file. The version changes when an older program
// could not read it.
type file struct {
	Version   int            `json:"version"`
	Devices   map[string]row `json:"devices,omitempty"`
	Encrypted *sealed        `json:"encrypted,omitempty"`
}

// Open reads what is kept in a folder, which Put makes. key encrypts it; empty:
// it is kept in plain text. A file that cannot be understood is kept aside, and
// the error says so; the vault is usable also where there is an error.
func Open(folder, key string) (*Vault, error) {
	v := &Vault{path: filepath.Join(folder, FileName), entries: map[string]Entry{}}
	if key != "" {
		v.lock = newLock(key)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v, v.read()
}

// read takes over what is in the file, if it is another than was read last. It
// wants mu held.
func (v *Vault) read() error {
	info, err := os.Stat(v.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if len(v.entries) > 0 {
			v.age++
		}
		v.entries, v.seen, v.sealed = map[string]Entry{}, nil, nil
		return nil
	case err != nil:
		return fmt.Errorf("credentials: %w", err)
	case v.seen != nil && os.SameFile(info, v.seen) && info.ModTime().Equal(v.seen.ModTime()) && info.Size() == v.seen.Size():
		return v.sealed
	}
	text, err := os.ReadFile(v.path)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	v.seen = info
	entries, err := v.decode(text)
	switch {
	case errors.Is(err, ErrLocked):
		v.sealed = err
		return err
	case err != nil:
		return v.setAside(err)
	}
	v.entries, v.sealed = entries, nil
	v.age++
	return nil
}

// setAside keeps a file that cannot be understood where nothing is written
// over it.
func (v *Vault) setAside(why error) error {
	aside, err := atomicfile.SetAside(v.path)
	if err != nil {
		v.sealed = fmt.Errorf("%w (%w), nor set aside: %w", ErrCorrupt, why, err)
		return v.sealed
	}
	v.entries, v.seen, v.sealed = map[string]Entry{}, nil, nil
	return fmt.Errorf("%w (%w); the file is kept as %s, and devices have to be paired anew", ErrCorrupt, why, aside)
}

func (v *Vault) decode(text []byte) (map[string]Entry, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, errors.New("it is not JSON as we write it") // the error could quote it
	}
	if f.Version != version {
		return nil, fmt.Errorf("it has version %d, and this program reads %d", f.Version, version)
	}
	if f.Encrypted != nil {
		plain, err := v.lock.open(*f.Encrypted)
		if err != nil {
			return nil, err
		}
		f.Devices = nil
		if err := json.Unmarshal(plain, &f.Devices); err != nil {
			return nil, errors.New("what was encrypted is not JSON as we write it")
		}
	}
	return entriesOf(f.Devices)
}

func entriesOf(rows map[string]row) (map[string]Entry, error) {
	entries := make(map[string]Entry, len(rows))
	for id, r := range rows {
		c, err := airplay.ParseCredentials(r.Credentials)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		e := Entry{Credentials: c, Name: r.Name, At: r.At}
		if e.Key, err = key(r.Key); err != nil {
			return nil, fmt.Errorf("%s: announced_key: %w", id, err)
		}
		if c.Legacy() {
			if e.Credentials.ReceiverKey, err = key(r.ReceiverKey); err != nil {
				return nil, fmt.Errorf("%s: receiver_key: %w", id, err)
			}
		}
		entries[id] = e
	}
	return entries, nil
}

// key reads a key that may be missing.
func key(digits string) ([]byte, error) {
	if digits == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != 32 {
		return nil, errors.New("64 hexadecimal digits are wanted")
	}
	return b, nil
}

// refresh takes over what another program has written. Where that cannot be
// read, what was read before still holds. It wants mu held.
func (v *Vault) refresh() {
	if err := v.read(); err != nil && !errors.Is(err, ErrLocked) { // Open and Put tell that
		v.Logger.Warn().Err(err).Msg("credentials cannot be read")
	}
}

// Get returns what is kept of a device.
func (v *Vault) Get(id string) (Entry, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refresh()
	e, ok := v.entries[id]
	return e, ok
}

// Age grows with every change, be it by another program.
func (v *Vault) Age() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refresh()
	return v.age
}

// All returns everything.
func (v *Vault) All() map[string]Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refresh()
	return maps.Clone(v.entries)
}

// Put keeps an entry, in place of what was kept of that device.
func (v *Vault) Put(id string, e Entry) error {
	return v.change(func(entries map[string]Entry) { entries[id] = e })
}

// Remove forgets a device. It is false if nothing was kept of it.
func (v *Vault) Remove(id string) (had bool, err error) {
	err = v.change(func(entries map[string]Entry) {
		_, had = entries[id]
		delete(entries, id)
	})
	return had, err
}

// change reads the file, as another program may have written it, changes it
// and writes it.
func (v *Vault) change(with func(map[string]Entry)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.read(); errors.Is(err, ErrLocked) {
		return err
	}
	if v.sealed != nil {
		return v.sealed
	}
	entries := maps.Clone(v.entries)
	with(entries)
	text, err := v.encode(entries)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(v.path), 0o700)
	}
	if err == nil {
		err = atomicfile.Write(v.path, text)
	}
	if err != nil {
		return fmt.Errorf("credentials are not kept: %w", err)
	}
	v.entries = entries
	v.age++
	v.seen, _ = os.Stat(v.path)
	return nil
}

func (v *Vault) encode(entries map[string]Entry) ([]byte, error) {
	f := file{Version: version, Devices: map[string]row{}}
	for id, e := range entries {
		r := row{Credentials: e.Credentials.Text(), Key: hex.EncodeToString(e.Key), Name: e.Name, At: e.At.UTC()}
		if e.Credentials.Legacy() {
			r.ReceiverKey = hex.EncodeToString(e.Credentials.ReceiverKey)
		}
		f.Devices[id] = r
	}
	if v.lock != nil {
		plain, err := json.Marshal(f.Devices)
		if err != nil {
			return nil, err
		}
		box, err := v.lock.seal(plain)
		if err != nil {
			return nil, err
		}
		f.Devices, f.Encrypted = nil, &box
	}
	text, err := json.MarshalIndent(f, "", "  ")
	return append(text, '\n'), err
}

// Export writes everything in plain text, as a file without a key holds it.
func (v *Vault) Export() ([]byte, error) {
	return (&Vault{}).encode(v.All())
}

// Import adds what Export wrote, or one line "ID CREDENTIALS" for each device
// with credentials as pyatv shows them, over what is kept of these devices. It
// returns how many there were.
func (v *Vault) Import(text []byte) (int, error) {
	given, err := parse(text)
	if err != nil {
		return 0, fmt.Errorf("import: %w", err)
	}
	return len(given), v.change(func(entries map[string]Entry) { maps.Copy(entries, given) })
}

func parse(text []byte) (map[string]Entry, error) {
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return (&Vault{}).decode(text)
	}
	given := map[string]Entry{}
	for n, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 2 {
			return nil, fmt.Errorf("line %d: a device's id and its credentials are wanted", n+1)
		}
		c, err := airplay.ParseCredentials(words[1])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		id := strings.ToUpper(strings.NewReplacer(":", "", "-", "").Replace(words[0]))
		given[id] = Entry{Credentials: c, At: time.Now()}
	}
	if len(given) == 0 {
		return nil, errors.New("there is nothing in it")
	}
	return given, nil
}
