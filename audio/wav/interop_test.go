package wav_test

import (
	"bytes"
	"errors"
	"testing"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/wav"
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
	audiotest.Exact(t, dir, "out.wav", []audiotest.File{
		{Line: sox + "-c 2 -b 8 out.wav" + noise, Codec: "pcm", Bits: 8, Channels: 2},
		{Line: sox + "-c 1 -b 16 out.wav" + noise, Codec: "pcm", Bits: 16, Channels: 1},
		{Line: sox + "-c 2 -b 16 out.wav" + noise, Codec: "pcm", Bits: 16, Channels: 2},
		{Line: sox + "-c 2 -b 24 out.wav" + noise, Codec: "pcm", Bits: 24, Channels: 2},
		{Line: sox + "-c 2 -b 32 out.wav" + noise, Codec: "pcm", Bits: 32, Channels: 2},
		{Line: sox + "-c 2 -b 32 -e float out.wav" + noise, Codec: "float", Bits: 32, Channels: 2},
		{Line: sox + "-c 1 -b 64 -e float out.wav" + noise, Codec: "float", Bits: 64, Channels: 1},
		{Line: sox + "-c 2 -e a-law out.wav" + noise, Codec: "alaw", Bits: 8, Channels: 2},
		{Line: sox + "-c 1 -e mu-law out.wav" + noise, Codec: "mulaw", Bits: 8, Channels: 1},
		{Line: sox + "-c 6 -b 24 out.wav" + noise, Codec: "pcm", Bits: 24, Channels: 6},
		{Line: sox + "-c 8 -b 16 out.wav" + noise, Codec: "pcm", Bits: 16, Channels: 8},
		{Line: sox + "-c 3 -e mu-law out.wav" + noise, Codec: "mulaw", Bits: 8, Channels: 3},
		{Line: sox + "-c 2 -b 16 -t wav - synth 0.7 pinknoise", Codec: "pcm", Bits: 16, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_s16le -metadata title=T out.wav", Codec: "pcm", Bits: 16, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_s32le -rf64 always out.wav", Codec: "pcm", Bits: 32, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_f32le -f wav -", Codec: "float", Bits: 32, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_f64le -ac 1 out.wav", Codec: "float", Bits: 64, Channels: 1},
		{Line: ffmpeg + "-c:a pcm_s24le -f wav -", Codec: "pcm", Bits: 24, Channels: 2},
		{Line: ffmpeg + "-c:a pcm_u8 -ac 1 out.wav", Codec: "pcm", Bits: 8, Channels: 1},
		{Line: ffmpeg + "-c:a pcm_alaw out.wav", Codec: "alaw", Bits: 8, Channels: 2},
	}, wav.NewDecoder)
}

func TestCompressedFilesOfFFmpegAreRefusedByName(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	audiotest.Run(t, dir, "sox -R -r 44100 -n -c 2 source.wav synth 0.2 sine 440")
	for codec, name := range map[string]string{"adpcm_ms": "Microsoft ADPCM", "adpcm_ima_wav": "IMA ADPCM", "libmp3lame": "MP3"} {
		out := audiotest.Run(t, dir, "ffmpeg -v error -i source.wav -c:a "+codec+" -f wav -")
		_, err := wav.NewDecoder(bytes.NewReader(out))
		var e *wav.CodecError
		if !errors.As(err, &e) || e.Name != name {
			t.Errorf("%s: got %v, want a CodecError for %s", codec, err, name)
		}
	}
}
