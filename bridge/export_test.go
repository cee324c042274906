package bridge

import (
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/raop"
)

// What tests of this package look at from outside.

func SlugOf(name string) string { return slugOf(name) }

func UniqueSlug(name, id string, taken func(string) bool) string { return uniqueSlug(name, id, taken) }

func Verbs() map[string]verb { return verbs }

// ParseOrder reads a command and says what it asks for.
func ParseOrder(verb string, payload []byte, now time.Time) (c player.Command, transaction string, expires time.Time, err error) {
	o, err := parseOrder(verb, payload, now)
	return o.command, string(o.transaction), o.expires, err
}

func Explain(err error) player.Problem { return explain(err) }

// Render makes the state document.
func Render(s player.State, pairing string, now time.Time) []byte {
	return encode(render(s, pairing, now))
}

func Keys(s player.State, pairing string, now time.Time) map[string]string {
	return render(s, pairing, now).keys()
}

// Keys are all keys that a verb's payload may hold.
func (v verb) Keys() []string {
	if v.main == "" {
		return v.keys
	}
	return append([]string{v.main}, v.keys...)
}

func OpenJournal(folder string) (*journal, error) { return openJournal(folder) }

func (j *journal) Begin(id string, was float64) error { return j.begin(id, was) }

func (j *journal) End(id string) error { return j.end(id) }

func (j *journal) Left() map[string]float64 { return j.left() }

// FirstTiming is what is tried first after as many sessions as there are facts.
func FirstTiming(sessions ...airplay.Facts) airplay.Timing {
	var l learned
	for _, f := range sessions {
		l = l.timed(f)
	}
	return l.Timing
}

// Learn is what a device has taught: its floor, and how many sessions were
// smooth since, after sessions with that floor and those counts.
func Learn(floor time.Duration, sessions ...raop.Stats) (learnt time.Duration, smooth int) {
	var l learned
	for _, s := range sessions {
		l = l.heard(s, max(floor, duration(l.Floor)))
	}
	return duration(l.Floor), l.Smooth
}

// Requests are the keys of all requests.
func Requests() map[string][]string {
	all := map[string][]string{}
	for name, r := range requests {
		all[name] = r.keys
		if r.main != "" {
			all[name] = append([]string{r.main}, r.keys...)
		}
	}
	return all
}

// ParseRequest reads a request and says what is wrong with it.
func ParseRequest(name string, payload []byte) error {
	r, ok := requests[name]
	if !ok {
		return bad("there is no request %q", name)
	}
	_, err := readFields(verb{main: r.main, keys: r.keys}, payload)
	return err
}

// Registry is the memory of devices.
type Registry struct{ r *registry }

func OpenRegistry(folder string) (Registry, error) {
	r, err := openRegistry(folder)
	return Registry{r}, err
}

// Name remembers a device.
func (r Registry) Name(id, name string) { r.r.get(id, name) }

func (r Registry) Prepare() (write func() error, err error) { return r.r.prepare() }
