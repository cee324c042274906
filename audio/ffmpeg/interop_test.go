package ffmpeg_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/audio/internal/audiotest"
)

type frames = [][2]float32

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// seconds is how long the source is.
const seconds = 2

// source is a WAV file with some of everything.
func source(t testing.TB, dir, format string) {
	t.Helper()
	length := strconv.Itoa(seconds)
	audiotest.Run(t, dir, "sox -R -n "+format+" source.wav synth "+length+" pinknoise synth "+length+" sine mix 200-6000 gain -4")
}

// encode makes a file of the source and returns what is in it.
func encode(t testing.TB, dir, options, name string) []byte {
	t.Helper()
	audiotest.Run(t, dir, "ffmpeg -v error -y -i source.wav "+options+" "+name)
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t testing.TB, r io.Reader, cfg ffmpeg.Config) *ffmpeg.Decoder {
	t.Helper()
	d, err := ffmpeg.NewDecoder(t.Context(), r, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestSoundIsWhatFFmpegMakesOfTheFile(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir, made := t.TempDir(), ""
	for _, f := range []struct {
		source, options, name string
		container, codec      string
		rate, bits, channels  int
	}{
		{"-r 44100 -c 2 -b 16", "-c:a aac", "out.aac", "aac", "aac", 44100, 0, 2},
		{"-r 48000 -c 1 -b 16", "-c:a aac", "out.aac", "aac", "aac", 48000, 0, 1},
		{"-r 44100 -c 2 -b 16", "-c:a aac", "out.m4a", "mov", "aac", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a aac -movflags faststart", "out.m4a", "mov", "aac", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a aac -movflags empty_moov+default_base_moof -frag_duration 500000", "out.m4a", "mov", "aac", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a aac -f mov", "out.mov", "mov", "aac", 44100, 0, 2},
		{"-r 48000 -c 6 -b 16", "-c:a aac", "out.m4a", "mov", "aac", 48000, 0, 6},
		{"-r 44100 -c 2 -b 16", "-c:a alac", "out.m4a", "mov", "alac", 44100, 16, 2},
		{"-r 96000 -c 2 -b 24", "-c:a alac -sample_fmt s32p", "out.m4a", "mov", "alac", 96000, 24, 2},
		{"-r 44100 -c 2 -b 16", "-c:a wmav2", "out.wma", "asf", "wmav2", 44100, 0, 2},
		{"-r 22050 -c 1 -b 16", "-c:a wmav1", "out.wma", "asf", "wmav1", 22050, 0, 1},
		{"-r 48000 -c 6 -b 16", "-c:a ac3", "out.ac3", "ac3", "ac3", 48000, 0, 6},
		{"-r 44100 -c 2 -b 16", "-c:a wavpack", "out.wv", "wv", "wavpack", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a tta", "out.tta", "tta", "tta", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a aac -f matroska", "out.mka", "matroska", "aac", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a aac -f mpegts", "out.ts", "mpegts", "aac", 44100, 0, 2},
		{"-r 44100 -c 2 -b 24", "-c:a pcm_s24be", "out.caf", "caf", "pcm_s24be", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a mp2", "out.mp2", "mp3", "mp2", 44100, 0, 2},
		{"-r 44100 -c 2 -b 16", "-c:a adpcm_ms", "out.wav", "wav", "adpcm_ms", 44100, 0, 2},
	} {
		t.Run(f.codec+" in "+f.name+" from "+f.source, func(t *testing.T) {
			if f.source != made {
				source(t, dir, f.source)
				made = f.source
			}
			data := encode(t, dir, f.options, f.name)
			want := audiotest.Reference(t, dir, f.name, f.channels)
			for name, r := range map[string]io.Reader{"file": bytes.NewReader(data), "pipe": audiotest.Pipe(bytes.NewReader(data))} {
				d := decode(t, r, ffmpeg.Config{})
				if d.Container() != f.container || d.Codec() != f.codec || d.Rate() != f.rate || d.Bits() != f.bits || d.Channels() != f.channels || d.Len() != -1 {
					t.Errorf("%s: got %s in %s, rate %d, %d bits, %d channels, length %d", name, d.Codec(), d.Container(), d.Rate(), d.Bits(), d.Channels(), d.Len())
				}
				audiotest.Same(t, name, audiotest.ReadAll(t, d, 1000), want)
			}
		})
	}
}
