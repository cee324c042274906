package player

import (
	"time"

	"airplay2mqtt/audio"
)

// A playback is one Play, or one repetition of it, from the moment it is taken
// on until it is over.
type playback struct {
	request Play
	id      string
	answer  func(error) // nil once it was called
	asked   time.Time   // when it was; zero: it came by itself, or had to wait
	encore  Repeat      // why it is repeated; empty: somebody asked for it
	round   int         // which time through all that is to be repeated

	track    audio.Track // no Source before it is opened
	tags     audio.Tags  // what is shown: the track's and the request's
	title    string      // what the radio plays, once it is heard
	part     *part       // of a medley; nil before it is cued up
	began    bool        // the first frame was heard
	past     bool        // it was, and is remembered
	alone    bool        // it is a film, and is not opened ahead
	unwanted error       // why it is not to be heard, or heard again
}

// titles tells what a radio plays, unless the request did.
func (b *playback) titles() <-chan string {
	if b == nil || b.part == nil || b.request.Title != "" && b.request.Override == OverrideAll {
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

// awaited is since when somebody waits for its first packet; zero: nobody does.
func (b *playback) awaited() time.Time {
	if b.began {
		return time.Time{}
	}
	return b.asked
}

// take takes the sound, once it is open.
func (b *playback) take(t audio.Track) {
	b.track = t
	b.tags = b.request.said()
	if b.request.Override == OverrideMissing {
		b.tags = t.Tags.Or(b.tags)
		return
	}
	b.tags = b.tags.Or(t.Tags)
}

// said returns what the request says of the sound.
func (c Play) said() audio.Tags {
	return audio.Tags{Title: c.Title, Artist: c.Artist, Album: c.Album}
}

// name returns what to call a request where nothing is known of its sound.
func (c Play) name() string {
	if c.Title == "" {
		return c.DataName
	}
	return c.Title
}

// cue makes a part of the track, which is begun anew if it was read before.
func (b *playback) cue() error {
	if b.part != nil && b.part.begun {
		if err := b.part.rewind(); err != nil {
			return err
		}
	}
	part, err := newPart(b.track, b.request)
	b.part = part
	return err
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
