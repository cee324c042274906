package airplay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"airplay2mqtt/internal/features"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// nowPlaying is how the keys begin by which a screen is told what is playing.
const nowPlaying = "kMRMediaRemoteNowPlayingInfo"

// tellScreen tells an Apple TV what to show: it draws nothing of what other
// receivers are told (docs/protocols/airplay2.md, device notes). Where the sound
// is goes along each time, and all else with each track.
func (s *Session) tellScreen(w telling, now time.Time) {
	rate, policy := 0.0, "update"
	if w.sounding {
		rate = 1
	}
	said := plist.Dict{
		nowPlaying + "ElapsedTime": w.elapsed(now).Seconds(), nowPlaying + "Timestamp": now.UTC(),
		nowPlaying + "PlaybackRate": rate, nowPlaying + "DefaultPlaybackRate": 1.0,
	}
	if w.text {
		policy = "replace"
		w.describe(said)
	}
	req, err := withList(rtsp.Request{Method: "POST", URI: "/command"}, plist.Dict{
		"type":   "updateMRNowPlayingInfo",
		"params": plist.Dict{"type": "npi-text", "mergePolicy": policy, "params": said},
	})
	if err == nil {
		_, err = s.ask(context.Background(), req)
	}
	var refusal *StatusError
	if errors.As(err, &refusal) {
		s.mu.Lock()
		s.tags.refused |= features.NowPlaying
		s.mu.Unlock()
	}
	if err != nil {
		s.log.Debug().Err(err).Msg("screen not told")
	}
}

// describe adds what the track is.
func (w telling) describe(said plist.Dict) {
	for key, text := range map[string]string{"Title": w.tags.Title, "Artist": w.tags.Artist, "Album": w.tags.Album} {
		if text != "" {
			said[nowPlaying+key] = text
		}
	}
	if w.tags.Duration > 0 {
		said[nowPlaying+"Duration"] = w.tags.Duration.Seconds()
	}
	said[nowPlaying+"UniqueIdentifier"] = int64(w.line.rtp(w.first))
	if image, kind := parameter.Artwork(w.tags.Artwork); image != nil {
		said[nowPlaying+"ArtworkData"], said[nowPlaying+"ArtworkMIMEType"] = image, kind
		said[nowPlaying+"ArtworkIdentifier"] = fmt.Sprint(w.line.rtp(w.first))
	}
}

// elapsed returns where in the track the sound is.
func (w telling) elapsed(now time.Time) time.Duration {
	at := w.position
	if w.sounding {
		at = w.line.tl.FrameAt(now) - w.first
	}
	return time.Duration(max(0, at)) * time.Second / 44100
}
