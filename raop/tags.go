package raop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/rtsp"
)

// tagsToTell is what the receiver is to be told of the sound. It is guarded by
// the session's mutex.
type tagsToTell struct {
	tags          audio.Tags
	known         bool
	text          bool  // to be told, with the artwork
	progress      bool  // to be told
	told          bool  // on this line
	first         int64 // the frame of the line with which the track begins
	position      int64 // where in the track the next line begins
	refused       List  // what the receiver has refused, as in Info.Metadata
	artworkIsSent bool
}

// pause notes where in the track the line was left.
func (t *tagsToTell) pause(heard int64) { t.position = max(0, heard-t.first) }

// restart prepares for a line that begins at frame.
func (t *tagsToTell) restart(frame int64) {
	t.first = frame - t.position
	t.progress, t.told = t.known, false
}

// begin makes the track begin anew: with the line if it was not told of it
// yet, else at the frame that is being heard.
func (t *tagsToTell) begin(l line, now time.Time) {
	t.position, t.first = 0, l.tl.Frame
	if t.told {
		t.first = max(t.first, l.tl.FrameAt(now))
	}
}

// SetTags tells the receiver what is being played, in the background, once it
// is heard. Before Start, and between Flush and Start, tags are kept. Tags
// that come while others were told already are those of a track that begins
// now. Only what the receiver wants is sent.
func (s *Session) SetTags(ctx context.Context, tags audio.Tags) error {
	return s.changeTags(func(t *tagsToTell, l line, now time.Time) {
		t.begin(l, now)
		t.tags, t.known, t.text, t.progress = tags, true, true, true
	})
}

// SetPosition tells the receiver where in the track the sound is, after a
// seek for example: at what is heard now, or at the first frame if nothing is
// heard yet. A session that was flushed and started again counts on from
// where it was, by itself.
func (s *Session) SetPosition(ctx context.Context, position time.Duration) error {
	return s.changeTags(func(t *tagsToTell, l line, now time.Time) {
		t.position = int64(max(0, position).Seconds() * 44100)
		t.first = max(l.tl.Frame, l.tl.FrameAt(now)) - t.position
		t.progress = t.known
	})
}

func (s *Session) changeTags(change func(*tagsToTell, line, time.Time)) error {
	if err := s.Err(); err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	l := line{tl: stream.Timeline{Rate: 44100, Time: now}}
	if s.beat.running {
		l = s.beat.line.later(s.offset)
	}
	change(&s.tags, l, now)
	if s.beat.running {
		s.planTags(now)
	}
	s.mu.Unlock()
	return nil
}

// planTags puts the telling on the agenda, for when the sound is heard: a slow
// receiver that is asked earlier is late for the sound. s.mu is held.
func (s *Session) planTags(now time.Time) {
	if !s.tags.known {
		return
	}
	at := s.beat.line.tl.Time.Add(s.offset)
	if at.Before(now) {
		at = now
	}
	s.agenda.Move(tellTags, at)
}

// A telling is what is told at one moment.
type telling struct {
	tags           audio.Tags
	text, progress bool
	clear          bool // the artwork that was sent before is not this track's
	line           line
	first          int64
	wanted         List
}

// take returns what is to be told now. It is false if there is nothing.
func (s *Session) take() (telling, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.tags
	if !s.beat.running || !t.text && !t.progress {
		return telling{}, false
	}
	w := telling{tags: t.tags, text: t.text, progress: t.progress, line: s.beat.line.later(s.offset),
		first: t.first, wanted: s.info.Metadata &^ t.refused, clear: t.artworkIsSent && len(t.tags.Artwork) == 0}
	t.text, t.progress, t.told = false, false, true
	return w, true
}

// tellTags tells progress, text and artwork, as far as they are wanted.
func (s *Session) tellTags() {
	if s.quirk.volumeAgain {
		s.repeatVolume()
	}
	w, ok := s.take()
	if !ok {
		return
	}
	if w.progress && w.wanted.Has(MetadataProgress) {
		s.tell(MetadataProgress, "text/parameters", "", w.progressBody(time.Now()))
	}
	if !w.text {
		return
	}
	rtptime := fmt.Sprintf("rtptime=%d", w.line.rtp(w.first))
	if w.wanted.Has(MetadataText) {
		s.tell(MetadataText, "application/x-dmap-tagged", rtptime, parameter.Tags(w.tags))
	}
	if w.wanted.Has(MetadataArtwork) {
		s.tellArtwork(w, rtptime)
	}
}

func (s *Session) tellArtwork(w telling, rtptime string) {
	image, kind := parameter.Artwork(w.tags.Artwork)
	if image == nil && !w.clear {
		return
	}
	if image == nil {
		kind = "image/none"
	}
	s.tell(MetadataArtwork, kind, rtptime, image)
	s.mu.Lock()
	s.tags.artworkIsSent = image != nil
	s.mu.Unlock()
}

// tell sends one kind of metadata, and never again to a receiver that refuses
// it (AirPort Express takes no text, postlund/pyatv#1098).
func (s *Session) tell(kind int, contentType, rtptime string, body []byte) {
	req := rtsp.Request{Method: "SET_PARAMETER", Body: body}
	if rtptime != "" {
		req.Header.Add("RTP-Info", rtptime)
	}
	req.Header.Add("Content-Type", contentType)
	_, err := s.ask(context.Background(), req)
	var refusal *StatusError
	if errors.As(err, &refusal) && contentType != "image/none" {
		s.mu.Lock()
		s.tags.refused |= ListOf(kind)
		s.mu.Unlock()
	}
	if err != nil {
		s.log.Debug().Err(err).Str("content_type", contentType).Msg("metadata not taken")
	}
}

// progressBody tells where the track begins, is and ends, in time stamps.
// Where the end is not known it is now.
func (w telling) progressBody(now time.Time) []byte {
	at := max(w.first, w.line.tl.FrameAt(now))
	end := at
	if w.tags.Duration > 0 {
		tl := stream.Timeline{Rate: 44100, Time: now}
		end = max(at, w.first+tl.FrameAt(now.Add(w.tags.Duration)))
	}
	return fmt.Appendf(nil, "progress: %d/%d/%d\r\n", w.line.rtp(w.first), w.line.rtp(at), w.line.rtp(end))
}
