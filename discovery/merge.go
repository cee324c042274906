package discovery

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// settling is how long a device that has announced one service is waited
	// for to announce the other.
	settling = 300 * time.Millisecond
	// settlingBare is the same for one whose TXT record is missing.
	settlingBare = time.Second
)

// A candidate is a device as the records of this moment show it.
type candidate struct {
	Device
	first  time.Time     // when it was first heard of
	settle time.Duration // how long to wait for the rest of it
	pair   string        // what the halves of a stereo pair have in common
	claims bool          // it says that it leads its pair
}

// A resolved is an instance of which everything needed is known.
type resolved struct {
	*instance
	id    string // the hardware address
	named bool   // the device has none: id is made from its name
	title string // what people call it
	host  string
	port  uint16
	addrs []addr
}

// devices merges the two services of each device.
func (c *cache) devices() []candidate {
	found := [len(services)]map[string]resolved{{}, {}}
	for _, key := range slices.Sorted(maps.Keys(c.instances)) {
		r, ok := c.resolve(c.instances[key])
		if !ok {
			continue
		}
		same := found[r.service]
		if other, ok := same[r.id]; !ok || r.betterThan(other) {
			same[r.id] = r
		}
	}
	sound, screen := found[raop], found[airplay]
	adopt(sound, screen)
	ids := slices.Sorted(maps.Keys(sound))
	for id := range screen {
		if _, ok := sound[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var all []candidate
	for _, id := range ids {
		all = append(all, c.candidate(id, sound, screen))
	}
	return all
}

func (c *cache) resolve(i *instance) (resolved, bool) {
	p, ok := i.place()
	h := c.hosts[fold(p.host)]
	if !ok || h == nil || len(h.known()) == 0 {
		return resolved{}, false
	}
	r := resolved{instance: i, title: i.label, host: fold(p.host), port: p.port, addrs: h.known()}
	if i.service == raop {
		if id, title, ok := strings.Cut(i.label, "@"); ok && hardware(id) != "" {
			r.id, r.title = hardware(id), clean(title)
		}
	} else {
		r.id = hardware(i.text["deviceid"])
	}
	if r.id == "" {
		r.id, r.named = nameless(r.title), true
	}
	return r, true
}

// betterThan decides between two names of one device: after a change of name
// the old one may be remembered for an hour.
func (r resolved) betterThan(o resolved) bool {
	return cmp.Or(
		cmp.Compare(o.missed, r.missed),
		r.first.Compare(o.first),
		cmp.Compare(o.name, r.name)) > 0
}

// adopt gives services whose hardware addresses differ, but that have the same
// host and name, the same one. That of the sound service counts, if it has one.
func adopt(sound, screen map[string]resolved) {
	for _, id := range slices.Sorted(maps.Keys(screen)) {
		v := screen[id]
		if _, ok := sound[id]; ok {
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(sound)) {
			a := sound[other]
			if _, ok := screen[other]; ok || a.host != v.host || !sameTitle(a, v) {
				continue
			}
			if a.named {
				delete(sound, other)
				sound[id] = a
			} else {
				delete(screen, id)
				screen[other] = v
			}
			break
		}
	}
}

// sameTitle compares names. That of a sound service shares its 63 bytes with the
// hardware address, so it may be cut.
func sameTitle(sound, screen resolved) bool {
	return sound.title == screen.title ||
		(len(sound.label) >= 60 && strings.HasPrefix(screen.title, sound.title))
}

func (c *cache) candidate(id string, sound, screen map[string]resolved) candidate {
	d := candidate{Device: Device{ID: id}, settle: settling}
	var addrs []addr
	var flags string
	if r, ok := sound[id]; ok {
		d.RAOP, addrs = &Service{r.port, r.said()}, r.addrs
		d.Name, d.Model, d.first = r.title, r.text["am"], r.first
		flags = r.text["sf"]
	}
	if r, ok := screen[id]; ok {
		d.AirPlay = &Service{r.port, r.said()}
		addrs = append(slices.Clone(addrs), r.addrs...)
		d.Name, d.Model = cmp.Or(r.title, d.Name), cmp.Or(r.text["model"], d.Model)
		d.first = sooner(d.first, r.first)
		flags = cmp.Or(r.text["flags"], flags)
		d.pair = fold(r.text["tsid"])
	}
	d.Model = clean(d.Model)
	d.Name = cmp.Or(d.Name, d.Model, id)
	d.Addrs = choose(addrs, c.ifaces)
	d.claims = leads(flags)
	switch {
	case bare(sound, id) || bare(screen, id):
		d.settle = settlingBare
	case d.RAOP != nil && d.AirPlay != nil:
		d.settle = 0
	}
	return d
}

// said is the TXT record, empty where none was heard.
func (r resolved) said() map[string]string {
	if r.text == nil {
		return map[string]string{}
	}
	return r.text
}

func bare(found map[string]resolved, id string) bool {
	r, ok := found[id]
	return ok && r.text == nil
}

// hardware makes twelve upper-case digits of a hardware address in any of its
// spellings, or nothing of what is none.
func hardware(s string) string {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' })
	if len(parts) == 6 {
		for i, p := range parts {
			if len(p) == 1 {
				parts[i] = "0" + p
			}
		}
	}
	id := strings.ToUpper(strings.Join(parts, ""))
	if b, err := hex.DecodeString(id); err != nil || len(b) != 6 || id == "000000000000" || id == "FFFFFFFFFFFF" {
		return ""
	}
	return id
}

// nameless makes an ID for a device that tells no hardware address: a locally
// administered one that depends on its name only.
func nameless(title string) string {
	sum := sha256.Sum256([]byte(fold(title)))
	sum[0] = sum[0]&^1 | 2
	return strings.ToUpper(hex.EncodeToString(sum[:6]))
}
