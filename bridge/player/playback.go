package player

import (
	"context"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
)

// A playback is one Play, from the moment it is taken on until it is over.
type playback struct {
	request Play
	id      string
	answer  func(error) // nil once it was called

	track  audio.Track // no Source before it is opened
	tags   audio.Tags  // what is shown: the track's, and the request's instead
	stream *stream.Stream
	cancel context.CancelFunc // of the stream
	sink   Session            // what the stream is sent to; nil: nothing
	states chan stream.State  // what the ear hears; the newest only
	warm   bool               // the session is one that was kept
	began  bool               // the first frame was heard
	paused bool
	since  time.Time // of the pause
	title  string    // what the radio plays, once it is heard
}

// hears tells what the ear hears, each time that changes.
func (b *playback) hears() <-chan stream.State {
	if b == nil {
		return nil
	}
	return b.states
}

// ended is closed when the sound has been heard.
func (b *playback) ended() <-chan struct{} {
	if b == nil || b.stream == nil {
		return nil
	}
	return b.stream.Done()
}

// over tells whether the sound has been heard.
func (b *playback) over() bool {
	select {
	case <-b.ended():
		return true
	default:
		return false
	}
}

// titles tells what a radio plays, unless the request did.
func (b *playback) titles() <-chan string {
	if b == nil || b.stream == nil || b.request.Title != "" {
		return nil
	}
	return b.track.Titles
}

// give answers who asked for the playback, once.
func (b *playback) give(err error) {
	if b == nil || b.answer == nil {
		return
	}
	answer := b.answer
	b.answer = nil
	answer(err)
}

// tell puts the newest state where hears finds it. It is called by one
// goroutine and does not block.
func (b *playback) tell(s stream.State) {
	select {
	case <-b.states:
	default:
	}
	b.states <- s
}

// withRequest returns the tags with what the request says instead.
func withRequest(t audio.Tags, c Play) audio.Tags {
	for _, s := range []struct {
		tag *string
		say string
	}{{&t.Title, c.Title}, {&t.Artist, c.Artist}, {&t.Album, c.Album}} {
		if s.say != "" {
			*s.tag = s.say
		}
	}
	return t
}

// duration returns how long a track is, 0 if that is not known.
func duration(t audio.Track) time.Duration {
	if t.Live || t.Tags.Duration > 0 {
		return t.Tags.Duration
	}
	if s, ok := t.Source.(audio.Seeker); ok && s.Len() > 0 && s.Rate() > 0 {
		return time.Duration(float64(s.Len()) / float64(s.Rate()) * float64(time.Second))
	}
	return 0
}

// seekable tells whether a track can go to any place.
func seekable(t audio.Track) bool {
	if t.Live {
		return false
	}
	_, ok := t.Source.(audio.Seeker)
	if s, asks := t.Source.(interface{ Seekable() bool }); asks {
		ok = ok && s.Seekable()
	}
	return ok
}
