package player_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

const second = 44100 // in frames

// A session is a speaker with a volume knob that remembers what it was told.
type session struct {
	streamtest.Speaker
	volumeTakes time.Duration // how long SetVolume waits
	closeTakes  time.Duration

	mu         sync.Mutex
	volumes    []float64
	volumeAt   []time.Time
	tags       []audio.Tags
	places     []time.Duration
	confidence string
	over       chan struct{}
	err        error
	closed     int
}

func newSession() *session { return &session{over: make(chan struct{}), confidence: "clock_locked"} }

// real makes the receivers of a house play packets to their end.
func real(h *house) {
	make := h.receiver
	h.receiver = func() (player.Session, error) {
		s, err := make()
		if err == nil {
			s.(*session).Whole = true
		}
		return s, err
	}
}

// played returns how many frames of a sound are heard that is paused after so
// many: receivers play packets to their end, and are told 2 ms before that.
func played(frames int64) int64 {
	return ((frames+second*2/1000)/alac.FramesPerPacket + 1) * alac.FramesPerPacket
}

func (s *session) SetVolume(ctx context.Context, level float64) error {
	if s.volumeTakes > 0 {
		select {
		case <-time.After(s.volumeTakes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volumes = append(s.volumes, level)
	s.volumeAt = append(s.volumeAt, time.Now())
	return nil
}

func (s *session) SetTags(_ context.Context, t audio.Tags) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tags = append(s.tags, t)
	return nil
}

func (s *session) SetPosition(_ context.Context, at time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places = append(s.places, at)
	return nil
}

func (s *session) Confidence() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.confidence
}

func (s *session) Done() <-chan struct{} { return s.over }

func (s *session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *session) Close() error {
	time.Sleep(s.closeTakes)
	s.hangUp(errors.New("closed"))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

// hangUp ends the session from the other end.
func (s *session) hangUp(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.over:
	default:
		s.err = err
		s.Break()
		close(s.over)
	}
}

// said returns the volumes that the session was told.
func (s *session) said() []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.volumes)
}

// shown returns the tags that the session was told.
func (s *session) shown() []audio.Tags {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tags)
}

// shownAt returns the positions that the session was told.
func (s *session) shownAt() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.places)
}

func (s *session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed > 0
}

// A teller is a session that knows its receiver's volume.
type teller struct {
	*session
	level float64
}

func (t teller) Volume() (float64, bool) { return t.level, true }

type takenOver struct{}

func (takenOver) Error() string   { return "another sender is heard" }
func (takenOver) TakenOver() bool { return true }

// A house is a player with a receiver and a shelf of sounds around it.
type house struct {
	t      *testing.T
	player *player.Player
	cfg    player.Config
	stop   func() error // ends the player and returns what Run did

	mu       sync.Mutex
	receiver func() (player.Session, error) // what a dial finds
	dialTake time.Duration
	openTake time.Duration
	sounds   map[string]audio.Track
	dialled  []*session
	dials    int
	opens    int
	states   []player.State
	events   []player.Event
	artwork  []string
	queues   [][]string
	shelve   func(context.Context, player.Play) (audio.Track, error) // in place of sounds; nil: sounds
	clips    map[string]*audio.Clip                                  // chimes, which are in memory, and sounds of URLs
	clipTake time.Duration
	journal  []string // what was told of raised volumes
}

// build makes a house in which configure has the last word.
func build(t *testing.T, configure func(*house)) *house {
	h := &house{t: t, sounds: map[string]audio.Track{}, clips: map[string]*audio.Clip{}}
	h.receiver = func() (player.Session, error) {
		s := newSession()
		h.dialled = append(h.dialled, s)
		return s, nil
	}
	h.cfg = player.Config{
		Dial: h.dial,
		Open: h.open,
		Notify: func(s player.State) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.states = append(h.states, s)
		},
		Event: func(e player.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		},
		Artwork: func(b []byte) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.artwork = append(h.artwork, string(b))
		},
		Announcements: player.Announcements{
			Clip: h.clip, Kept: h.kept,
			Raised:  func(was float64) { h.write(fmt.Sprintf("raised from %.2f", was)) },
			Lowered: func() { h.write("lowered") },
		},
	}
	if configure != nil {
		configure(h)
	}
	h.player = player.New(h.cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.player.Run(ctx) }()
	h.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *house) dial(ctx context.Context) (player.Session, error) {
	h.mu.Lock()
	h.dials++
	take := h.dialTake
	h.mu.Unlock()
	if err := pass(ctx, take); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.receiver()
}

func (h *house) open(ctx context.Context, p player.Play) (audio.Track, error) {
	h.mu.Lock()
	h.opens++
	take := h.openTake
	if shelve := h.shelve; shelve != nil {
		h.mu.Unlock()
		return shelve(ctx, p)
	}
	track, ok := h.sounds[p.File+p.URL]
	if sound, plain := track.Source.(*streamtest.Source); plain { // who opens it again gets it anew
		next := track
		next.Source = sound.Again()
		h.sounds[p.File+p.URL] = next
	}
	h.mu.Unlock()
	if err := pass(ctx, take); err != nil {
		return audio.Track{}, err
	}
	if !ok {
		return audio.Track{}, audio.ErrUnsupported
	}
	return track, nil
}

// kept gives chimes.
func (h *house) kept(s player.Sound) (*audio.Clip, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clip, ok := h.clips[s.Chime]
	return clip, ok
}

// clip gives all other clips.
func (h *house) clip(ctx context.Context, s player.Sound) (*audio.Clip, error) {
	h.mu.Lock()
	clip, take := h.clips[s.URL+s.File+s.Chime], h.clipTake
	h.mu.Unlock()
	if err := pass(ctx, take); err != nil {
		return nil, err
	}
	if clip == nil {
		return nil, audio.ErrUnsupported
	}
	return clip, nil
}

func (h *house) write(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.journal = append(h.journal, line)
}

// written returns the journal.
func (h *house) written() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.journal)
}

func pass(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// put puts a sound on the shelf.
func (h *house) put(name string, frames int64) *streamtest.Source {
	sound := streamtest.Sound(frames)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sounds[name] = audio.Track{Source: sound, Tags: audio.Tags{Title: "Title of " + name, Artist: "Somebody"}}
	return sound
}

// ask sends a command and returns what is answered, when it is.
func (h *house) ask(c player.Command) <-chan error {
	answer := make(chan error, 1)
	if err := h.player.Send(c, func(err error) { answer <- err }); err != nil {
		h.t.Errorf("Send: got %v, want nil", err)
		answer <- err
	}
	return answer
}

// must asks, waits for the answer and wants it to be nil.
func (h *house) must(c player.Command) {
	h.t.Helper()
	if err := <-h.ask(c); err != nil {
		h.t.Errorf("%T: got %v, want nil", c, err)
	}
}

// told returns all states that were told.
func (h *house) told() []player.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.states)
}

// state returns what was told last.
func (h *house) state() player.State {
	told := h.told()
	if len(told) == 0 {
		return player.State{}
	}
	return told[len(told)-1]
}

// covers returns the artwork that was told.
func (h *house) covers() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.artwork)
}

// statuses returns what was told, without repetitions.
func (h *house) statuses() []player.Status {
	var all []player.Status
	for _, s := range h.told() {
		all = append(all, s.Status)
	}
	return slices.Compact(all)
}

// happened returns the events as "type/reason".
func (h *house) happened() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, e := range h.events {
		all = append(all, e.PlaybackID+" "+e.Type+" "+e.Reason)
	}
	return all
}

// session returns the n-th session that was dialled.
func (h *house) session(n int) *session {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if n >= len(h.dialled) {
		h.t.Fatalf("dialled %d sessions, want more than %d", len(h.dialled), n)
	}
	return h.dialled[n]
}

// dialledNow returns the sessions that were dialled.
func (h *house) dialledNow() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.dialled)
}

func (h *house) counts() (dials, opens int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dials, h.opens
}

// set changes the house while it is lived in.
func (h *house) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}
