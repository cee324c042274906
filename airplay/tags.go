package airplay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/features"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/rtsp"
)

// tagsToTell is what the receiver is to be told of the sound. Frames are those
// of the line. It is guarded by the session's mutex.
type tagsToTell struct {
	tags          audio.Tags
	known         bool
	text          bool         // to be told, with the artwork
	progress      bool         // to be told
	screen        bool         // to be told, where the receiver has one
	told          bool         // since the last Start
	first         int64        // the frame with which the track begins
	position      int64        // where in the track the next Start goes on
	refused       features.Set // what the receiver has refused
	artworkIsSent bool
}

// pause notes where in the track the sound was left.
func (t *tagsToTell) pause(heard int64) {
	t.position, t.screen = max(0, heard-t.first), t.known
}

// restart prepares for sound that begins at a frame. Sonos lets nothing be
// heard before it has been told what it is, so something is told in any case
// (docs/protocols/airplay2.md, device notes).
func (t *tagsToTell) restart(frame int64) {
	t.first = frame - t.position
	t.progress, t.told = t.known, false
	t.text = t.text || !t.known
}

// begin makes the track begin anew: with the sound if the receiver was not
// told of it yet, else at the frame that is being heard.
func (t *tagsToTell) begin(place, heard int64) {
	t.position, t.first = 0, place
	if t.told {
		t.first = max(place, heard)
	}
}

// SetTags tells the receiver what is being played, in the background. Before
// Start, and between Flush and Start, tags are kept. Tags that come while
// others were told already are those of a track that begins now. Only what
// the receiver wants is sent.
func (s *Session) SetTags(ctx context.Context, tags audio.Tags) error {
	return s.changeTags(func(t *tagsToTell, place, heard int64) {
		t.begin(place, heard)
		t.tags, t.known, t.text, t.progress = tags, true, true, true
	})
}

// SetPosition tells the receiver where in the track the sound is, after a
// seek for example: at what is heard now, or at the first frame if nothing is
// heard yet. A session that was flushed and started again counts on from
// where it was, by itself.
func (s *Session) SetPosition(ctx context.Context, position time.Duration) error {
	return s.changeTags(func(t *tagsToTell, place, heard int64) {
		t.position = int64(max(0, position).Seconds() * 44100)
		t.first = max(place, heard) - t.position
		t.progress = t.known
	})
}

func (s *Session) changeTags(change func(t *tagsToTell, place, heard int64)) error {
	if err := s.Err(); err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	b := &s.beat
	heard := b.place
	if b.running {
		heard = b.line.tl.FrameAt(now)
	}
	change(&s.tags, b.place, heard)
	if b.running {
		s.planTags(now)
	}
	s.mu.Unlock()
	return nil
}

// planTags puts the telling on the agenda. s.mu is held.
func (s *Session) planTags(now time.Time) { s.agenda.Move(tellTags, now) }

// A telling is what is told at one moment.
type telling struct {
	tags           audio.Tags
	text, progress bool
	clear          bool // the artwork that was sent before is not this track's
	line           line
	seq            uint32
	first          int64
	wanted         features.Set
	sounding       bool  // not paused
	position       int64 // where in the track it is, if it is
}

// take returns what is to be told now. It is false if there is nothing.
func (s *Session) take() (telling, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.tags
	if !s.beat.running || !t.text && !t.progress && !t.screen {
		return telling{}, false
	}
	w := telling{tags: t.tags, text: t.text, progress: t.progress, line: s.beat.line, seq: s.beat.seq,
		first: t.first, wanted: s.wanted() &^ t.refused, clear: t.artworkIsSent && len(t.tags.Artwork) == 0,
		sounding: s.beat.sounding, position: t.position}
	t.text, t.progress, t.screen, t.told = false, false, false, true
	if w.tags.Title == "" {
		w.tags.Title = s.cfg.Name
	}
	return w, true
}

// wanted returns what the receiver wants to be told. Screens are told by those
// only who were paired with them.
func (s *Session) wanted() features.Set {
	f := s.info.metadata()
	if s.paired && s.quirk.endless {
		f |= features.Set(s.info.Features) & features.NowPlaying
	}
	return f
}

// metadata returns which kinds of metadata the receiver wants. Who announces
// none is told of texts and progress anyway: it may say no.
func (i Info) metadata() features.Set {
	const all = features.Artwork | features.Progress | features.Text
	if f := features.Set(i.Features) & all; f != 0 {
		return f | features.Text
	}
	return features.Progress | features.Text
}

// tellTags tells progress, text and artwork, as far as they are wanted.
func (s *Session) tellTags() {
	w, ok := s.take()
	if !ok {
		return
	}
	info := fmt.Sprintf("seq=%d;rtptime=%d", uint16(w.seq), w.line.rtp(w.first))
	if w.text && w.wanted.Has(features.Text) {
		s.tell(features.Text, "application/x-dmap-tagged", info, parameter.Tags(w.tags))
	}
	if w.progress && w.wanted.Has(features.Progress) {
		s.tell(features.Progress, "text/parameters", "", w.progressBody(time.Now()))
	}
	if w.text && w.wanted.Has(features.Artwork) {
		s.tellArtwork(w, info)
	}
	if w.wanted.Has(features.NowPlaying) {
		s.tellScreen(w, time.Now())
	}
}

func (s *Session) tellArtwork(w telling, info string) {
	image, kind := parameter.Artwork(w.tags.Artwork)
	if image == nil && !w.clear {
		return
	}
	if image == nil {
		kind = "image/none"
	}
	s.tell(features.Artwork, kind, info, image)
	s.mu.Lock()
	s.tags.artworkIsSent = image != nil
	s.mu.Unlock()
}

// tell sends one kind of metadata, and never again to a receiver that refuses
// it.
func (s *Session) tell(kind features.Set, contentType, info string, body []byte) {
	req := rtsp.Request{Method: "SET_PARAMETER", Body: body}
	if info != "" {
		req.Header.Add("RTP-Info", info) // Sonos answers 400 without it
	}
	req.Header.Add("Content-Type", contentType)
	_, err := s.ask(context.Background(), req)
	var refusal *StatusError
	if errors.As(err, &refusal) && contentType != "image/none" {
		s.mu.Lock()
		s.tags.refused |= kind
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
