package aiff_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"airplay2mqtt/audio/aiff"
	"airplay2mqtt/audio/internal/audiotest"
)

func TestFilesOfOtherProgramsAreExact(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	const (
		sox    = "sox -R -r 44100 -n "
		noise  = " synth 0.7 pinknoise synth 0.7 sine mix 300-3000 gain -3"
		ffmpeg = "ffmpeg -v error -y -bitexact -i source.wav "
	)
	dir := t.TempDir()
	audiotest.Run(t, dir, sox+"-c 2 -b 32 source.wav"+noise)
	audiotest.Exact(t, dir, "out.aiff", []audiotest.File{
		{Line: sox + "-c 2 -b 8 out.aiff" + noise, Codec: "pcm", Bits: 8, Channels: 2},
		{Line: sox + "-c 1 -b 16 out.aiff" + noise, Codec: "pcm", Bits: 16, Channels: 1},
		{Line: sox + "-c 2 -b 16 out.aiff" + noise, Codec: "pcm", Bits: 16, Channels: 2},
		{Line: sox + "-c 2 -b 24 out.aiff" + noise, Codec: "pcm", Bits: 24, Channels: 2},
		{Line: sox + "-c 2 -b 32 out.aiff" + noise, Codec: "pcm", Bits: 32, Channels: 2},
		{Line: sox + "-c 2 -b 16 -t aifc out.aiff" + noise, Codec: "pcm", Bits: 16, Channels: 2},
		{Line: sox + "-c 6 -b 24 out.aiff" + noise, Codec: "pcm", Bits: 24, Channels: 6},
		{Line: sox + "-c 8 -b 16 out.aiff" + noise, Codec: "pcm", Bits: 16, Channels: 8},
		{Line: sox + "-c 2 -b 16 -t aiff -" + noise, Codec: "pcm", Bits: 16, Channels: 2},
		{Line: sox + "-c 1 -b 24 -t aifc -" + noise, Codec: "pcm", Bits: 24, Channels: 1},
		{Line: ffmpeg + "-c:a pcm_s16be -metadata title=T out.aiff", Codec: "pcm", Bits: 16, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_s16le out.aiff", Codec: "pcm", Bits: 16, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_s24be -f aiff -", Codec: "pcm", Bits: 24, Channels: 2, Reference: ffmpeg + "-c:a pcm_s24be -f aiff reference"},
		{Line: ffmpeg + "-c:a pcm_s32be -ac 6 out.aiff", Codec: "pcm", Bits: 32, Channels: 6},
		{Line: ffmpeg + "-c:a pcm_f32be out.aiff", Codec: "float", Bits: 32, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_f64be -ac 1 out.aiff", Codec: "float", Bits: 64, Channels: 1},
		{Line: ffmpeg + "-c:a pcm_alaw out.aiff", Codec: "alaw", Bits: 8, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_mulaw -ac 1 -f aiff -", Codec: "mulaw", Bits: 8, Channels: 1, Reference: ffmpeg + "-c:a pcm_mulaw -ac 1 -f aiff reference"},
	}, aiff.NewDecoder)
}

func TestTagsOfFFmpegAreRead(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	audiotest.Run(t, dir, "sox -R -r 44100 -n -c 2 source.wav synth 0.2 sine 440")
	for _, id3 := range []string{"0", "1"} {
		audiotest.Run(t, dir, "ffmpeg -v error -y -i source.wav -metadata title=Söng -metadata artist=Me -write_id3v2 "+id3+" out.aiff")
		data, err := os.ReadFile(filepath.Join(dir, "out.aiff"))
		if err != nil {
			t.Fatal(err)
		}
		d := decode(t, bytes.NewReader(data))
		wantArtist := "Me"
		if id3 == "0" {
			wantArtist = "" // ffmpeg knows it as author then
		}
		if got := d.Tags(); got.Title != "Söng" || got.Artist != wantArtist {
			t.Errorf("ID3 %s: got %+v, want the title Söng by %q", id3, got, wantArtist)
		}
	}
}

func TestCompressedFilesOfFFmpegAreRefusedByName(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	audiotest.Run(t, dir, "sox -R -r 44100 -n -c 2 source.wav synth 0.2 sine 440")
	for codec, name := range map[string]string{"adpcm_ima_qt": "IMA ADPCM"} {
		out := audiotest.Run(t, dir, "ffmpeg -v error -i source.wav -c:a "+codec+" -f aiff -")
		_, err := aiff.NewDecoder(bytes.NewReader(out))
		var e *aiff.CodecError
		if !errors.As(err, &e) || e.Name != name {
			t.Errorf("%s: got %v, want a CodecError for %s", codec, err, name)
		}
	}
}
