package aiff_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"airplay2mqtt/audio/aiff"
	"airplay2mqtt/audio/downmix"
)

// need skips the test where a program is missing, except where all must be
// there.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed", p)
			}
			t.Skipf("%s is not installed; scripts/setup brings it", p)
		}
	}
}

// run runs a command line without quoting and returns what it writes.
func run(t *testing.T, dir, line string) []byte {
	t.Helper()
	args := strings.Fields(line)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, &stderr)
	}
	return out
}

// samples are what ffmpeg decodes the file to, mixed by our weights.
func samples(t *testing.T, dir, file string, channels int) frames {
	t.Helper()
	raw := run(t, dir, "ffmpeg -v error -i "+file+" -c:a pcm_f32le -f f32le -")
	in := make([]float32, len(raw)/4)
	for i := range in {
		in[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	m, err := downmix.New(channels, downmix.WAVE)
	if err != nil {
		t.Fatal(err)
	}
	out := make(frames, len(in)/channels)
	m.Mix(out, in)
	return out
}

func TestFilesOfOtherProgramsAreExact(t *testing.T) {
	need(t, "sox", "ffmpeg")
	const (
		sox    = "sox -R -r 44100 -n "
		noise  = " synth 0.7 pinknoise synth 0.7 sine mix 300-3000 gain -3"
		ffmpeg = "ffmpeg -v error -y -bitexact -i source.wav "
	)
	dir := t.TempDir()
	run(t, dir, sox+"-c 2 -b 32 source.wav"+noise)
	for _, f := range []struct {
		line     string
		codec    string
		bits     int
		channels int
	}{
		{sox + "-c 2 -b 8 out.aiff" + noise, "pcm", 8, 2},
		{sox + "-c 1 -b 16 out.aiff" + noise, "pcm", 16, 1},
		{sox + "-c 2 -b 16 out.aiff" + noise, "pcm", 16, 2},
		{sox + "-c 2 -b 24 out.aiff" + noise, "pcm", 24, 2},
		{sox + "-c 2 -b 32 out.aiff" + noise, "pcm", 32, 2},
		{sox + "-c 2 -b 16 -t aifc out.aiff" + noise, "pcm", 16, 2},
		{sox + "-c 6 -b 24 out.aiff" + noise, "pcm", 24, 6},
		{sox + "-c 8 -b 16 out.aiff" + noise, "pcm", 16, 8},
		{sox + "-c 2 -b 16 -t aiff -" + noise, "pcm", 16, 2},
		{sox + "-c 1 -b 24 -t aifc -" + noise, "pcm", 24, 1},
		{ffmpeg + "-c:a pcm_s16be -metadata title=T out.aiff", "pcm", 16, 2},
		{ffmpeg + "-c:a pcm_s16le out.aiff", "pcm", 16, 2},
		{ffmpeg + "-c:a pcm_s24be -f aiff -", "pcm", 24, 2},
		{ffmpeg + "-c:a pcm_s32be -ac 6 out.aiff", "pcm", 32, 6},
		{ffmpeg + "-c:a pcm_f32be out.aiff", "float", 32, 2},
		{ffmpeg + "-c:a pcm_f64be -ac 1 out.aiff", "float", 64, 1},
		{ffmpeg + "-c:a pcm_alaw out.aiff", "alaw", 8, 2},
		{ffmpeg + "-c:a pcm_mulaw -ac 1 -f aiff -", "mulaw", 8, 1},
	} {
		out := run(t, dir, f.line)
		if len(out) > 0 {
			os.WriteFile(filepath.Join(dir, "out.aiff"), out, 0o600)
		}
		reference := "out.aiff"
		if stream, ok := strings.CutSuffix(f.line, " -f aiff -"); ok {
			reference = "reference.aiff" // ffmpeg cannot read its own streams
			run(t, dir, stream+" "+reference)
		}
		want := samples(t, dir, reference, f.channels)
		file, err := os.Open(filepath.Join(dir, "out.aiff"))
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{"file": file, "pipe": pipe{file}} {
			file.Seek(0, io.SeekStart)
			d := decode(t, r)
			if d.Codec() != f.codec || d.Bits() != f.bits || d.Channels() != f.channels || d.Rate() != 44100 {
				t.Errorf("%s: got %s, %d bits, %d channels, rate %d", f.line, d.Codec(), d.Bits(), d.Channels(), d.Rate())
			}
			if n := d.Len(); name == "file" && n != int64(len(want)) {
				t.Errorf("%s: got length %d, want %d", f.line, n, len(want))
			}
			compare(t, name+" of "+f.line, readAll(t, d, 1000), want)
		}
		file.Close()
	}
}

func compare(t *testing.T, name string, got, want frames) {
	t.Helper()
	if len(got) != len(want) || len(want) < 30000 {
		t.Errorf("%s: got %d frames, want %d", name, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: frame %d: got %v, want %v", name, i, got[i], want[i])
			return
		}
	}
}

func TestTagsOfFFmpegAreRead(t *testing.T) {
	need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	run(t, dir, "sox -R -r 44100 -n -c 2 source.wav synth 0.2 sine 440")
	for _, id3 := range []string{"0", "1"} {
		run(t, dir, "ffmpeg -v error -y -i source.wav -metadata title=Söng -metadata artist=Me -write_id3v2 "+id3+" out.aiff")
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
	need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	run(t, dir, "sox -R -r 44100 -n -c 2 source.wav synth 0.2 sine 440")
	for codec, name := range map[string]string{"adpcm_ima_qt": "IMA ADPCM"} {
		out := run(t, dir, "ffmpeg -v error -i source.wav -c:a "+codec+" -f aiff -")
		_, err := aiff.NewDecoder(bytes.NewReader(out))
		var e *aiff.CodecError
		if !errors.As(err, &e) || e.Name != name {
			t.Errorf("%s: got %v, want a CodecError for %s", codec, err, name)
		}
	}
}
