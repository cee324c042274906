package dacp

// Kinds of what a speaker's buttons say.
const (
	Play        = "play"
	Pause       = "pause"
	PlayPause   = "play_pause"
	Stop        = "stop"
	Next        = "next"
	Previous    = "previous"
	FastForward = "fast_forward" // until play_resume
	Rewind      = "rewind"       // until play_resume
	PlayResume  = "play_resume"
	Volume      = "volume" // the receiver has changed its volume itself; see Level
	VolumeUp    = "volume_up"
	VolumeDown  = "volume_down"
	MuteToggle  = "mute_toggle"
	Shuffle     = "shuffle"
	Busy        = "busy" // the receiver was given another input, or has it no more; see Busy
)

// A Remote is what a speaker's buttons, or its own remote control, say.
//
// Most are wishes: the receiver does nothing by itself and expects that the
// sender pauses, skips, or sets another volume (5 percent are a usual step).
// Volume and Busy are facts. A volume must not be sent back: the session has
// taken it over already. When the receiver is busy the session is about to end,
// closed by the receiver, and nobody should dial again by himself; when it is
// busy no more, who wants to go on may dial.
type Remote struct {
	Kind  string
	Level float64 // of Volume, from 0 to 1
	Busy  bool    // of Busy
}
