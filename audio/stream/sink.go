package stream

import (
	"context"
	"time"
)

// A Packet is 352 frames of sound, encoded once for all sinks as an
// uncompressed ALAC frame (audio/alac).
type Packet struct {
	// Frame is the number of its first frame on the timeline that was given
	// to Sink.Start. The next packet begins 352 frames later.
	Frame int64
	// Payload is shared and reused: it is valid, and must not be changed,
	// until WritePacket returns. A sink copies what it keeps.
	Payload []byte
	// Last says that none follows, unless there is another Start.
	Last bool
}

// A Sink takes packets and lets them be heard on time; a session with a
// receiver is one. Its methods may be called while others of its methods run.
// A sink must not call its stream from inside them, and is a pointer, so that
// it can be told from another.
type Sink interface {
	// Start says when the coming packets are heard: they begin at frame
	// tl.Frame, which is heard at tl.Time, or, where Start took so long that
	// the others went ahead, at a later packet of the same timeline. It
	// replaces the timeline before; what was sent on that one and not heard
	// may be dropped. A stream counts its frames upwards through all its
	// timelines, another stream on the same sink begins anew: a sink that
	// numbers its packets goes on from its own number, not from tl.Frame.
	// It waits for the receiver no longer than ctx allows.
	Start(ctx context.Context, tl Timeline) error
	// WritePacket sends a packet. It is called on the beat, by one goroutine,
	// in the order of frames: it must not wait for the receiver and does not
	// allocate. An error means that the sink is of no use any more.
	WritePacket(p Packet) error
	// Flush drops what was sent and not heard yet, so that the receiver falls
	// silent at once, or, where a receiver must not be told to forget, as soon
	// as it has played what it holds. It returns when what is sent after it is
	// safe from it, and waits for the receiver no longer than ctx allows. What follows is
	// Start, or nothing.
	Flush(ctx context.Context) error
}

// A Floor is a sink whose receiver cannot begin at any moment. MinLead is the
// smallest time from Start to the first frame of sound that it can honour. The
// silence before that frame lies within it: of that a receiver may drop what
// comes too late. MinLead is asked before each Start and must not wait. A
// stream uses the largest of its sinks, or its own Lead where that is larger.
type Floor interface {
	MinLead() time.Duration
}
