package player

import "time"

// A Command is what somebody wants of a speaker: Play, Pause, Resume,
// PlayPause, Stop, Seek, SetVolume or Mute. It is plain data.
type Command interface{ command() }

// Play plays a sound, in place of what is playing.
type Play struct {
	URL, File string   // exactly one of them
	Volume    *float64 // from 0 to 1, set before the sound begins; nil: as it is

	Title, Artist, Album string // instead of what the sound says; empty: what it says

	Start       time.Duration // where in the sound to begin
	MaxDuration time.Duration // how much of it is played at most; 0: all
	Lead        time.Duration // 0: the player's
}

// Pause falls silent at once and keeps the place. Where nothing is playing it
// does nothing.
type Pause struct{}

// Resume goes on after a Pause where the ear was, or 5 ms before that, because
// receivers are not exact and nothing is to be lost. A live sound that was paused for more than ten seconds goes on with
// what is sent now: what was missed is gone, and its server has hung up.
type Resume struct{}

// PlayPause is Pause or Resume, whichever changes something.
type PlayPause struct{}

// Stop ends what is playing, or about to. Where nothing is it does nothing.
type Stop struct{}

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

func (Play) command()      {}
func (Pause) command()     {}
func (Resume) command()    {}
func (PlayPause) command() {}
func (Stop) command()      {}
func (Seek) command()      {}
func (SetVolume) command() {}
func (Mute) command()      {}
