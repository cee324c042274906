package player

import (
	"context"
	"errors"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
)

// A Session is a connection with a receiver: a sink with a volume knob. All
// methods may be called at any time, from several goroutines; those that take
// a context wait no longer than it allows. It may also be a stream.Floor, a
// VolumeTeller, a PositionTaker and a ClockWatcher.
type Session interface {
	stream.Sink
	// SetVolume takes a level from 0 to 1, 0 being silence.
	SetVolume(ctx context.Context, level float64) error
	// SetTags says what is playing. They are kept until there is a timeline.
	SetTags(ctx context.Context, t audio.Tags) error
	// Done is closed when the session is over, and Err then says why. An
	// error that has a method TakenOver() bool that returns true says that
	// another sender took the receiver.
	Done() <-chan struct{}
	Err() error
	// Close ends the session and waits for all that it has started, a few
	// seconds at most. It may be called twice.
	Close() error
}

// A VolumeTeller is a session that may know its receiver's volume.
type VolumeTeller interface {
	Volume() (level float64, known bool)
}

// A PositionTaker is a session whose receiver shows how far a sound has come.
// It is told when that jumps, after SetTags, and waits no longer than ctx
// allows.
type PositionTaker interface {
	SetPosition(ctx context.Context, at time.Duration) error
}

// A ClockWatcher is a session that knows whether its receiver follows our
// clock: clock_locked, unknown or stalled. It is asked once a second and must
// not wait.
type ClockWatcher interface {
	Confidence() string
}

// takenOver tells whether err says that another sender took the receiver.
func takenOver(err error) bool {
	var t interface {
		error
		TakenOver() bool
	}
	return errors.As(err, &t) && t.TakenOver()
}
