package audio_test

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/internal/audiotest"
)

// tuneFrames is how long most sounds here are: nearly a second.
const tuneFrames = 40_000

// tune is music enough for encoders: two voices that rise, in 16 bits.
func tune(rate, frames int) []int16 {
	s := make([]int16, 2*frames)
	for i := range frames {
		t := float64(i) / float64(rate)
		s[2*i] = int16(12000*math.Sin(2*math.Pi*(300+200*t)*t) + 1000*math.Sin(2*math.Pi*2500*t))
		s[2*i+1] = int16(12000*math.Sin(2*math.Pi*(500+100*t)*t) - 1000*math.Sin(2*math.Pi*1700*t))
	}
	return s
}

type made struct {
	file   string
	line   string // makes the file of in.wav
	format audio.Format
	exact  bool // at 44100 and 16 bits, without loss
	off    int  // by how many frames the length may differ
}

var formats = []made{
	{"a.wav", "cp in.wav a.wav", audio.Format{Container: "wav", Codec: "pcm", Rate: 44100, Bits: 16, Channels: 2}, true, 0},
	{"a.flac", "flac -s -f -o a.flac in.wav", audio.Format{Container: "flac", Codec: "flac", Rate: 44100, Bits: 16, Channels: 2}, true, 0},
	{"a.oga", "flac -s -f --ogg -o a.oga in.wav", audio.Format{Container: "ogg", Codec: "flac", Rate: 44100, Bits: 16, Channels: 2}, true, 0},
	{"a.mp3", "lame --quiet -b 128 in.wav a.mp3", audio.Format{Container: "mp3", Codec: "mp3", Rate: 44100, Channels: 2}, false, 0},
	{"v.mp3", "lame --quiet -V 2 in.wav v.mp3", audio.Format{Container: "mp3", Codec: "mp3", Rate: 44100, Channels: 2}, false, 0},
	{"m.mp3", "lame --quiet -m m --resample 22.05 -b 64 in.wav m.mp3", audio.Format{Container: "mp3", Codec: "mp3", Rate: 22050, Channels: 1}, false, 2},
	{"a.ogg", "oggenc -Q -o a.ogg in.wav", audio.Format{Container: "ogg", Codec: "vorbis", Rate: 44100, Channels: 2}, false, 0},
	{"a.opus", "opusenc --quiet in.wav a.opus", audio.Format{Container: "ogg", Codec: "opus", Rate: 48000, Channels: 2}, false, 2},
	{"48.wav", "sox -R in.wav -r 48000 -b 24 48.wav", audio.Format{Container: "wav", Codec: "pcm", Rate: 48000, Bits: 24, Channels: 2}, false, 1},
	{"96.flac", "sox -R in.wav -r 96000 -b 24 96.flac", audio.Format{Container: "flac", Codec: "flac", Rate: 96000, Bits: 24, Channels: 2}, false, 1},
	{"8.wav", "sox -R in.wav -r 8000 -c 1 8.wav", audio.Format{Container: "wav", Codec: "pcm", Rate: 8000, Bits: 16, Channels: 1}, false, 6},
	{"192.wav", "sox -R in.wav -r 192000 -b 32 192.wav", audio.Format{Container: "wav", Codec: "pcm", Rate: 192000, Bits: 32, Channels: 2}, false, 1},
	{"a.aiff", "sox in.wav a.aiff", audio.Format{Container: "aiff", Codec: "pcm", Rate: 44100, Bits: 16, Channels: 2}, true, 0},
	{"f.wav", "ffmpeg -v error -y -i in.wav -c:a pcm_f32le f.wav", audio.Format{Container: "wav", Codec: "pcm", Rate: 44100, Bits: 32, Channels: 2}, true, 0},
}

// make makes the files in a fresh folder.
func makeFiles(t testing.TB, samples []int16, formats []made) string {
	t.Helper()
	audiotest.Need(t, "sox", "lame", "flac", "oggenc", "opusenc", "ffmpeg")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.wav"), wave(44100, samples), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		audiotest.Run(t, dir, f.line)
	}
	return dir
}

// distance is how far got is from want, in decibels of want's power.
func distance(got, want []int16) float64 {
	var diff, power float64
	for i := range min(len(got), len(want)) {
		d := float64(got[i]) - float64(want[i])
		diff += d * d
		power += float64(want[i]) * float64(want[i])
	}
	return 10 * math.Log10(diff/power+1e-20)
}

func TestEveryFormatIsHeardFromAnywhere(t *testing.T) {
	const frames = tuneFrames
	in := tune(44100, frames)
	dir := makeFiles(t, in, formats)
	for _, f := range formats {
		t.Run(f.file, func(t *testing.T) {
			path := filepath.Join(dir, f.file)
			file := open(t, path)
			want := f.format
			if want.Bits != 0 && file.Format.Codec != want.Codec { // floats are called by another name
				want.Codec = file.Format.Codec
			}
			if file.Format != want {
				t.Errorf("got %+v, want %+v", file.Format, want)
			}
			heard := hear(t, file)
			if off := len(heard)/2 - frames; off < -f.off || off > f.off {
				t.Errorf("got %d frames, want %d", len(heard)/2, frames)
			}
			if f.exact {
				same(t, "file", heard, in)
			}
			far := distance(heard[8000:len(heard)-8000], in[8000:])
			t.Logf("%-8s %.1f dB from the original", f.file, far)
			if f.format.Channels == 2 && far > -20 {
				t.Errorf("got %.1f dB from the original", far)
			}
			const long = frames * time.Second / 44100
			if d := file.Tags.Duration - long; d < -time.Millisecond || d > time.Millisecond {
				t.Errorf("got a duration of %v, want %v", file.Tags.Duration, long)
			}
			b := file.Source.(*audio.Buffer)
			if !file.Seekable() || b.Len() != int64(len(heard)/2) {
				t.Errorf("got seekable %v, length %d, want %d", file.Seekable(), b.Len(), len(heard)/2)
			}
			piped, fetched := fromPipe(t, path), fromServer(t, path)
			if f.file != "a.opus" && f.exact || f.format.Rate == 44100 { // the others are dithered alike, too
				same(t, "pipe", hear(t, piped), heard)
				same(t, "http", hear(t, fetched), heard)
				return
			}
			if got := distance(hear(t, piped), heard); got > -80 {
				t.Errorf("pipe: got %.1f dB from the file", got)
			}
			if got := distance(hear(t, fetched), heard); got > -80 {
				t.Errorf("http: got %.1f dB from the file", got)
			}
		})
	}
}

func fromPipe(t *testing.T, path string) audio.Track {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var o audio.Opener
	track, err := o.OpenReader(t.Context(), struct{ io.ReadCloser }{f}, "a pipe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { track.Close() })
	return track
}

func fromServer(t *testing.T, path string) audio.Track {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return newSite(t, chunked(b)).open(t, "http://10.0.0.1/"+filepath.Base(path))
}

func TestEveryFormatIsSoughtToTheFrame(t *testing.T) {
	in := tune(44100, tuneFrames)
	dir := makeFiles(t, in, formats)
	for _, f := range formats {
		b := open(t, filepath.Join(dir, f.file)).Source.(*audio.Buffer)
		want := drink(t, b, 1000)
		for _, n := range []int{33_333, 1} {
			if err := b.SeekFrame(int64(n)); err != nil {
				t.Fatalf("%s: %v", f.file, err)
			}
			got := drink(t, b, 352)
			if len(got) != len(want)-n {
				t.Errorf("%s: from %d on: got %d frames, want %d", f.file, n, len(got), len(want)-n)
				continue
			}
			if f.format.Codec == "opus" {
				continue // begins elsewhere, and so rounds otherwise
			}
			if !slices.Equal(got, want[n:]) {
				i := 0
				for got[i] == want[n+i] {
					i++
				}
				t.Errorf("%s: from %d on: frame %d: got %v, want %v", f.file, n, i, got[i], want[n+i])
			}
		}
	}
}

func TestWhatFFmpegMakesOfTheRestIsNamed(t *testing.T) {
	audiotest.Need(t, "ffmpeg")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.wav"), wave(44100, tune(44100, 22050)), 0o644); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"x.aac": "AAC", "x.m4a": "M4A", "x.wma": "Windows Media", "x.mka": "Matroska", "x.au": "AU",
		"x.caf": "Core Audio", "x.mp2": "layer 2", "x.ts": "transport stream", "x.wv": "WavPack", "x.w64": "Wave64",
	} {
		audiotest.Run(t, dir, "ffmpeg -v error -y -i in.wav "+file)
		without := audio.Opener{FFmpeg: filepath.Join(dir, "none")}
		if _, err := without.Open(t.Context(), filepath.Join(dir, file)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "install ffmpeg") {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
		track := open(t, filepath.Join(dir, file))
		if got := len(hear(t, track)) / 2; got < 20000 || got > 22050+4000 {
			t.Errorf("%s: got %d frames of %+v", file, got, track.Format)
		}
	}
}

func TestAnythingCutOffIsHeardAsFarAsItGoes(t *testing.T) {
	dir := makeFiles(t, tune(44100, tuneFrames), formats)
	for _, f := range formats {
		whole, err := os.ReadFile(filepath.Join(dir, f.file))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []int{1, 50, 500, 999} {
			cut := whole[:len(whole)*part/1000]
			var o audio.Opener
			track, err := o.OpenReader(t.Context(), io.NopCloser(bytes.NewBuffer(cut)), f.file)
			lost := 10_000 // frames that may be lost beyond what was cut
			if f.format.Container == "ogg" {
				lost = 45_000 // a whole page, which holds a second
			}
			least := tuneFrames*part/1000 - lost
			if err != nil {
				if least > 0 {
					t.Errorf("%s, %d of 1000: %v", f.file, part, err)
				}
				continue
			}
			if got, _ := hearUntil(t, track); len(got)/2 < least {
				t.Errorf("%s, %d of 1000: got %d frames", f.file, part, len(got)/2)
			}
			track.Close()
		}
	}
}

// FuzzOpen opens anything, and reads a little of it.
func FuzzOpen(f *testing.F) {
	f.Add(wave(44100, noise(1000)))
	f.Add(wave(8000, noise(100)))
	f.Add(mp3Frames(5))
	for _, c := range sniffed {
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, r := range []io.ReadCloser{io.NopCloser(bytes.NewReader(b)), seekableReader{bytes.NewReader(b)}} {
			var o audio.Opener
			track, err := o.OpenReader(t.Context(), r, "fuzz")
			if err != nil {
				continue
			}
			buf, p := track.Source.(*audio.Buffer), make([]audio.Frame, 1000)
			for range 20 {
				buf.Wait(t.Context(), 1)
				if _, err := buf.Read(p); err != nil {
					break
				}
			}
			buf.SeekFrame(5)
			buf.Wait(t.Context(), 1)
			buf.Read(p)
			if err := track.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// BenchmarkToPackets is the whole way, from the bytes of a file to packets.
func BenchmarkToPackets(b *testing.B) {
	const seconds = 20
	dir := makeFiles(b, tune(44100, seconds*44100), formats)
	for _, f := range formats {
		b.Run(f.file, func(b *testing.B) {
			begun := processor()
			for b.Loop() {
				track, err := audio.Open(b.Context(), filepath.Join(dir, f.file))
				if err != nil {
					b.Fatal(err)
				}
				toPackets(b, track)
				track.Close()
			}
			b.ReportMetric(float64(b.N)*seconds/b.Elapsed().Seconds(), "x-realtime")
			b.ReportMetric(float64(b.N)*seconds/(processor()-begun).Seconds(), "x-of-one-core")
		})
	}
}

func toPackets(b *testing.B, track audio.Track) {
	buf := track.Source.(*audio.Buffer)
	var q audio.Quantizer
	frames, pcm := make([]audio.Frame, alac.FramesPerPacket), make([]int16, 2*alac.FramesPerPacket)
	packet := make([]byte, 0, alac.PacketSize)
	for {
		buf.Wait(b.Context(), len(frames))
		n, err := buf.Read(frames)
		if err == io.EOF {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
		q.Quantize(pcm, frames[:n])
		packet = alac.AppendVerbatim(packet[:0], pcm)
	}
}

// BenchmarkOpen measures until a track can be read, without what it reads ahead
// before it is closed.
func BenchmarkOpen(b *testing.B) {
	dir := makeFiles(b, tune(44100, 4*60*44100), formats)
	for _, f := range formats {
		b.Run(f.file, func(b *testing.B) {
			var opening time.Duration
			for b.Loop() {
				begun := time.Now()
				track, err := audio.Open(b.Context(), filepath.Join(dir, f.file))
				if err != nil {
					b.Fatal(err)
				}
				opening += time.Since(begun)
				track.Close()
			}
			b.ReportMetric(float64(opening.Microseconds())/float64(b.N), "µs-to-open")
		})
	}
}

func BenchmarkQuantize(b *testing.B) {
	var q audio.Quantizer
	src, dst := tone(44100, 1000, 0.5, 352), make([]int16, 704)
	for b.Loop() {
		q.Quantize(dst, src)
	}
}
