package player

import "time"

// Status is what a player does, as the ear has it: Playing is said when the
// first frame is heard, Buffering from the moment a sound was asked for until
// then, and again while it has run dry.
type Status string

const (
	Idle      Status = "idle"
	Buffering Status = "buffering"
	Playing   Status = "playing"
	Paused    Status = "paused"
)

// A State is what a player tells of itself, a comparable value.
type State struct {
	Status Status

	Volume      float64 // from 0 to 1, true if VolumeKnown; kept while muted
	VolumeKnown bool
	Muted       bool
	Chosen      float64 // Volume, or what it is again when it is not held down any more

	Repeat      Repeat // RepeatOne or RepeatAll; empty: off
	QueueLength int    // how many sounds wait; none do while idle

	Leader  string // the name of whose group it is in, joined or called; empty: none
	Joined  string // the name of whom it has joined (Join), which may not be playing
	Members string // the names of those who play together, by commas, a speaker that leads them first

	Announcing string // announcement or chime while one is heard; empty: none is

	// What follows is of the sound, and empty while idle.

	PlaybackID           string // names one Play, and each time that it is repeated
	URL, File            string // as in Play; both empty where it is Data
	Title, Artist, Album string
	Duration             time.Duration // 0: unknown, or live
	Position             time.Duration // what was heard at Since; it goes on by itself while playing
	Since                time.Time     // zero: nothing was heard yet. It changes only if Position jumps
	Live, Seekable       bool
	Video                bool   // it is a film, which the device plays itself
	Confidence           string // what the session says of its receiver's clock: clock_locked, unknown, stalled

	Problem Problem // why the last sound was not played to its end; kept until the next Play
}

// A Problem is an error as a person sees it: a stable word, and a sentence
// that says what to do. The zero value is none.
type Problem struct{ Code, Message string }

// An Item is a sound that waits in the queue.
type Item struct {
	PlaybackID string
	URL, File  string // as in Play; both empty where it is Data
	Title      string // what Play said, or the name of Data
}

// An Event is something that happened to a playback, or an announcement. Each whose turn came ends
// with one PlaybackFinished or PlaybackFailed; of one that is sent away while
// it waits only its Play is told.
type Event struct {
	Type       string
	PlaybackID string
	Reason     string  // of PlaybackFinished and AnnouncementFinished
	Problem    Problem // of PlaybackFailed, and where Reason is TakenOver

	URL, File            string
	Title, Artist, Album string
}

// Types of an Event.
const (
	PlaybackStarted  = "playback_started" // the first frame is heard
	PlaybackFinished = "playback_finished"
	PlaybackFailed   = "playback_failed"

	// Of announcements, whose names begin with a: one that was heard is
	// finished once, whatever its Reason.
	AnnouncementStarted  = "announcement_started"
	AnnouncementFinished = "announcement_finished"
)

// Reasons of a PlaybackFinished.
const (
	Ended     = "ended"      // the last frame was heard
	Stopped   = "stopped"    // by Stop, or because the player ended
	Replaced  = "replaced"   // by another Play
	Skipped   = "skipped"    // by Next or Previous
	TakenOver = "taken_over" // another sender took the receiver
	Failed    = "error"      // of PlaybackFailed
)
