//go:build linux

package interop_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// A report is what probe says, as a script reads it.
type report struct {
	Container  string   `json:"container"`
	Codec      string   `json:"codec"`
	SampleRate int      `json:"sample_rate"`
	BitDepth   int      `json:"bit_depth"`
	Channels   int      `json:"channels"`
	Duration   *float64 `json:"duration"`
	Seekable   *bool    `json:"seekable"`
	Streamable *bool    `json:"streamable"`
	Reason     *string  `json:"reason"`
	Tags       struct {
		Title, Artist, Album string
	} `json:"tags"`
	Artwork *int `json:"artwork"`
}

func TestProbeTellsOfEveryFormatFromAPipe(t *testing.T) {
	house := interop.Open(t)
	wav := interop.Sweep(2 * time.Second).WAV()
	ffmpeg := func(args ...string) []string {
		return append(append([]string{"ffmpeg", "-loglevel", "error", "-i", "-"}, args...), "-")
	}
	for name, c := range map[string]struct {
		encoder    []string // nil: the input as it is
		input      []byte
		codec      string
		bits       int
		streamable bool
	}{
		"wav":         {nil, wav, "pcm", 16, true},
		"wav 24 bit":  {[]string{"sox", "-t", "wav", "-", "-b", "24", "-t", "wav", "-"}, wav, "pcm", 24, true},
		"aiff":        {[]string{"sox", "-t", "wav", "-", "-t", "aiff", "-"}, wav, "pcm", 16, true},
		"flac":        {encoders["flac"], wav, "flac", 16, true},
		"ogg flac":    {[]string{"flac", "--silent", "--ogg", "--stdout", "-"}, wav, "flac", 16, true},
		"mp3":         {encoders["mp3"], wav, "mp3", 0, true},
		"ogg vorbis":  {encoders["ogg"], wav, "vorbis", 0, true},
		"ogg opus":    {[]string{"opusenc", "--quiet", "-", "-"}, wav, "opus", 0, true},
		"aac":         {ffmpeg("-c:a", "aac", "-f", "adts"), wav, "aac", 0, true},
		"m4a":         {ffmpeg("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4"), wav, "aac", 0, true},
		"a text":      {nil, []byte("this is no sound, but a text that somebody piped here\n"), "", 0, false},
		"nothing":     {nil, nil, "", 0, false},
		"cut header":  {nil, wav[:20], "", 0, false},
		"cut in flac": {nil, []byte("fLaC\x00\x00\x00\x22"), "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			input := c.input
			if c.encoder != nil {
				input = pipe(t, input, c.encoder...)
			}
			code, out, errs := house.Run(t, bytes.NewReader(input), "probe", "-json", "-")
			var r report
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("%v: code %d, %q, %s", err, code, out, errs)
			}
			if want := map[bool]int{true: 0, false: 1}[c.streamable]; code != want {
				t.Errorf("exit code: got %d, want %d", code, want)
			}
			if r.Streamable == nil || *r.Streamable != c.streamable || r.Reason == nil || (*r.Reason == "") != c.streamable || r.Seekable == nil || r.Artwork == nil {
				t.Fatalf("got %s, want streamable %v and every key", out, c.streamable)
			}
			if !c.streamable {
				return
			}
			if r.Codec != c.codec || r.BitDepth != c.bits || r.Channels != 2 || r.SampleRate != 44100 && r.Codec != "opus" {
				t.Errorf("got %s, want %s of %d bits", out, c.codec, c.bits)
			}
			if r.Duration != nil && !near(r.Duration, 2, 0.1) {
				t.Errorf("duration: got %v, want 2", *r.Duration)
			}
		})
	}
}

func TestProbeIsATopicToo(t *testing.T) {
	tune := encode(t, "flac", interop.Noise(78, time.Second))
	h := newHome(t, map[string][]byte{"tune.flac": tune, "text.mp3": []byte("no sound, but a name\n")})
	ear := h.kitchen.Listen()
	for location, want := range map[string]bool{"tune.flac": true, serve(t, map[string][]byte{"/x": tune}) + "/x": true, "text.mp3": false} {
		at := h.order(t, "probe", location)
		var got struct {
			Command string
			Data    report
		}
		h.client.Wait(t, at, "airplay/kitchen/result", moment, func(p string) bool {
			return json.Unmarshal([]byte(p), &got) == nil && got.Command == "probe" && got.Data.Streamable != nil
		})
		if *got.Data.Streamable != want || want && (got.Data.Codec != "flac" || !near(got.Data.Duration, 1, 0.001)) {
			t.Errorf("%s: got %+v", location, got.Data)
		}
	}
	if at, ok := ear.LastLoud(); ok {
		t.Errorf("something was heard at %v", at)
	}
}
