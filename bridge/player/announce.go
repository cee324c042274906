package player

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"airplay2mqtt/audio"
)

// Announce lets clips be heard over what is playing, or in its place, and then
// all is as it was. It is answered when the first frame is heard, or with why
// it never was.
type Announce struct {
	Clips    []Sound       // heard one after another; 1 to 8
	Lasts    time.Duration // begun again and again for so long, 10 minutes at most; 0: heard once
	Policy   Policy        // what becomes of what is playing; empty: as configured
	Priority int           // the greater is heard first, and ends what is less and being heard
	Volume   *Loudness     // meanwhile; nil: as it is
	Unmute   bool          // it is heard also where the speaker is muted
	Expires  time.Time     // if it is not heard by then, it is not; zero: it waits for ever
	// Key tells announcements apart: one whose key waits or is heard already
	// is not heard again, nor within the cooldown. Empty: its clips.
	Key string
}

// Hush ends the announcement that is heard, and sends away those that wait.
// What they were heard over goes on.
type Hush struct{}

// A Sound is what a clip is made of: exactly one of these.
type Sound struct {
	Chime     string // by its name
	URL, File string
	Text      string // to be spoken

	Language, Voice string // of the text; empty: as is usual
}

// A Policy is what becomes of what is playing while clips are heard.
type Policy string

const (
	Duck      Policy = "duck"      // it goes on, softer
	Interrupt Policy = "interrupt" // it waits, and goes on where it was
	Skip      Policy = "skip"      // it goes on, and the clips are not heard
	Wait      Policy = "wait"      // it goes on, and the clips are heard when it is over
)

func (p Policy) valid() bool { return p == Duck || p == Interrupt || p == Skip || p == Wait }

// Loudness is how loud clips are to be.
type Loudness struct {
	Level float64 // from 0 to 1
	By    Measure
}

// A Measure is what a level is counted from.
type Measure int

const (
	Absolute Measure = iota
	Relative         // to the volume that is
	AtLeast          // as loud as it is, if that is more
)

// Announcements is what a player has to know about them.
type Announcements struct {
	// Clip makes a clip, which may take long; Kept gives one that is in memory,
	// and does not wait. nil: there are none.
	Clip func(ctx context.Context, s Sound) (*audio.Clip, error)
	Kept func(s Sound) (*audio.Clip, bool)

	Policy   Policy        // of those that do not say; empty: Duck
	Bed      float64       // how loud what is playing is meanwhile, as a factor; 0: -18 dB
	Cooldown time.Duration // the same is not heard again so soon
	PerHour  int           // so many are heard at most; 0: 120

	// Raised is told, before it happens, that the speaker becomes as loud as
	// an announcement wants, and which volume it is to have back; Lowered that
	// it has that. They must not wait; nil: nobody is told.
	Raised  func(was float64)
	Lowered func()
}

var (
	// ErrSkipped answers an Announce that was not to disturb what is playing.
	ErrSkipped = errors.New("player: something is playing that was not to be disturbed")
	// ErrMuted answers an Announce that would not have been heard.
	ErrMuted = errors.New("player: the speaker is muted")
	// ErrSame answers an Announce whose like waits, or is heard.
	ErrSame = errors.New("player: the same announcement waits already, or is heard")
	// ErrTooOften answers an Announce that comes too soon after the last one of
	// its kind, or after too many others.
	ErrTooOften = errors.New("player: too many announcements")
)

func (a Announcements) withDefaults() Announcements {
	if a.Clip == nil {
		a.Clip = func(context.Context, Sound) (*audio.Clip, error) { return nil, audio.ErrUnsupported }
	}
	if a.Kept == nil {
		a.Kept = func(Sound) (*audio.Clip, bool) { return nil, false }
	}
	if !a.Policy.valid() {
		a.Policy = Duck
	}
	if !(a.Bed > 0 && a.Bed <= 1) {
		a.Bed = decibels(-18)
	}
	if a.PerHour <= 0 {
		a.PerHour = 120
	}
	if a.Raised == nil {
		a.Raised = func(float64) {}
	}
	if a.Lowered == nil {
		a.Lowered = func() {}
	}
	return a
}

// decibels is the factor of so many.
func decibels(db float64) float64 { return math.Pow(10, db/20) }

func (Announce) command() {}
func (Hush) command()     {}

const (
	clipsAtOnce  = 8
	longestChime = 10 * time.Minute
)

// check tells whether an Announce makes sense.
func (c Announce) check() error {
	switch {
	case len(c.Clips) == 0 || len(c.Clips) > clipsAtOnce:
		return fmt.Errorf("player: announce wants 1 to %d clips", clipsAtOnce)
	case c.Policy != "" && !c.Policy.valid():
		return errors.New("player: announce by duck, interrupt, skip, or wait")
	case c.Volume != nil && math.IsNaN(c.Volume.Level):
		return errors.New("player: the volume is not a number")
	case c.Lasts < 0 || c.Lasts > longestChime:
		return fmt.Errorf("player: an announcement lasts %v at most", longestChime)
	}
	for _, s := range c.Clips {
		given := 0
		for _, text := range []string{s.Chime, s.URL, s.File, s.Text} {
			if text != "" {
				given++
			}
		}
		if given != 1 {
			return errors.New("player: a clip is one of a chime, a URL, a file and a text")
		}
	}
	return nil
}

// late tells whether it is of no use any more at t.
func (c Announce) late(t time.Time) bool { return !c.Expires.IsZero() && t.After(c.Expires) }

// key tells it from others.
func (c Announce) key() string {
	if c.Key != "" {
		return c.Key
	}
	return fmt.Sprintf("%q", c.Clips)
}

// activity is what a speaker does that announces this.
func (c Announce) activity() string {
	for _, s := range c.Clips {
		if s.Chime == "" {
			return "announcement"
		}
	}
	return "chime"
}
