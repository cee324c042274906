package player

import (
	"net/http"
	"time"
)

// A Command is what somebody wants of a speaker: Play, Pause, Resume,
// PlayPause, Stop, Seek, Next, Previous, ClearQueue, SetRepeat, SetVolume,
// Mute, VolumeChanged, Prepare, Tune, Wake, Announce, Hush, Restore, Join, Unjoin
// or Lead. It is plain data.
type Command interface{ command() }

// Play plays a sound, or has it wait until others have been played. It is
// answered when its first frame is heard, or with why it never was.
type Play struct {
	URL, File string // exactly one of these and Data
	Data      []byte // the sound itself, not to be changed any more
	DataName  string // what Data is called, for people and for guessing its format
	// Header is what the server of the URL wants to see. It may be secret.
	Header http.Header

	Enqueue Enqueue   // when it is played
	Repeat  Repeat    // from now on; empty: as it is
	Expires time.Time // if it is not heard by then, it is not played; zero: it waits for ever
	Volume  *float64  // from 0 to 1, set before the sound begins; nil: as it is

	Mode                 Mode     // whether it is a film
	Title, Artist, Album string   // empty: what the sound says
	Override             Override // whether they stand before what the sound says

	Start       time.Duration // where in the sound to begin
	MaxDuration time.Duration // how much of it is played at most; 0: all
	Lead        time.Duration // 0: the player's. A sound that follows another needs none
}

// Enqueue says when a Play is played. Where nothing is playing, that is always
// now.
type Enqueue int

const (
	// EnqueueReplace plays it now, in place of what is playing and of all
	// that waits. It ends repeating.
	EnqueueReplace Enqueue = iota
	// EnqueueAdd plays it after all that waits.
	EnqueueAdd
	// EnqueueNext plays it after what is playing; where the next one is on its
	// way to the receiver already, which it is two seconds before it is heard,
	// after that.
	EnqueueNext
	// EnqueuePlay plays it now, in place of what is playing. What waits comes
	// after it.
	EnqueuePlay
)

// Repeat says what comes after a sound. One of less than a tenth of a second,
// or that could not be played, is not repeated.
type Repeat string

const (
	RepeatOff Repeat = "off" // what waits, then nothing
	RepeatOne Repeat = "one" // the same again
	RepeatAll Repeat = "all" // what waits, then all that was played, again
)

// Override says which tags a Play's own stand before.
type Override int

const (
	OverrideAll     Override = iota // what the Play says is shown
	OverrideMissing                 // only where the sound itself says nothing
)

// Pause falls silent at once and keeps the place. Where nothing is playing it
// does nothing.
type Pause struct{}

// Resume goes on after a Pause where the ear was, or 5 ms before that, because
// receivers are not exact and nothing is to be lost. A live sound that was
// paused for more than ten seconds goes on with what is sent now: what was
// missed is gone, and its server has hung up.
type Resume struct{}

// PlayPause is Pause or Resume, whichever changes something.
type PlayPause struct{}

// Stop ends what is playing, or about to, and clears the queue. Where nothing
// is it does nothing.
type Stop struct{}

// Next leaves what is playing for what waits behind it, also where one sound is
// repeated. Where nothing waits it is Stop.
type Next struct{}

// Previous begins what is playing again if more than three seconds of it have
// been heard, or nothing was played before; else what was played before.
type Previous struct{}

// ClearQueue sends away all that waits.
type ClearQueue struct{}

// SetRepeat says what comes after a sound from now on.
type SetRepeat struct{ To Repeat }

// Seek goes to another place of the sound, also while it is paused.
type Seek struct {
	To       time.Duration // a place before the beginning is the beginning
	Relative bool          // To is counted from the place that is heard
}

// SetVolume makes the speaker louder or softer. It does not unmute.
type SetVolume struct {
	Level    float64 // from 0 to 1; what is outside is held to that
	Relative bool    // Level is added to the volume that is
	Fade     time.Duration
}

// Mute silences the speaker, or lets it sound again at the volume it has.
type Mute struct{ To MuteTo }

// MuteTo is what Mute does.
type MuteTo int

const (
	MuteOn MuteTo = iota
	MuteOff
	MuteToggle
)

// VolumeChanged says that somebody has turned the speaker's own knob. It is
// taken over, and not sent back unless it is more than is allowed.
type VolumeChanged struct {
	Level float64 // from 0 to 1; 0 is as good as Mute
}

// Prepare opens a session, unless there is one, so that the next sound need not
// wait for it. It is answered when there is one.
type Prepare struct {
	For time.Duration // the session is kept for so long at least; 0: 30 s
}

// Wake says that this machine has slept: the receiver's idea of our clock is
// wrong, and the session of no use any more.
type Wake struct{}

// Tune changes what Config and its Announcements said: Lead from the next sound
// on, HangUp after the next, all else at once. Zero means what it means there.
type Tune struct {
	Lead, HangUp time.Duration
	MaxVolume    float64
	Cooldown     time.Duration
	PerHour      int
}

func (Play) command()          {}
func (Pause) command()         {}
func (Resume) command()        {}
func (PlayPause) command()     {}
func (Stop) command()          {}
func (Seek) command()          {}
func (Next) command()          {}
func (Previous) command()      {}
func (ClearQueue) command()    {}
func (SetRepeat) command()     {}
func (SetVolume) command()     {}
func (Mute) command()          {}
func (VolumeChanged) command() {}
func (Wake) command()          {}
func (Tune) command()          {}
func (Prepare) command()       {}
