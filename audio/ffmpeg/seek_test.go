package ffmpeg_test

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/tags"
)

func TestSeeksAreExact(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	audiotest.Run(t, dir, "sox -R -n -r 44100 -c 2 -b 16 source.wav synth 6 sine mix 200-6000 gain -4")
	for _, f := range []struct {
		options, name string
		near          float64 // how loud a difference may be, to 1
	}{
		{"-c:a alac", "out.m4a", 0},
		{"-ar 48000 -c:a alac -movflags faststart", "out.m4a", 0},
		{"-c:a wmav2", "out.wma", 0},
		{"-c:a aac", "out.aac", 0},
		{"-c:a aac", "out.m4a", 0.01}, // noise is made up anew
		{"-c:a aac -use_editlist 0", "out.m4a", 0.01},
		{"-f lavfi -i testsrc=s=320x240:d=3 -map 1 -map 0 -c:v mpeg4 -c:a alac", "out.m4a.mp4", 0},
		{"-c:a aac -movflags empty_moov+default_base_moof -frag_duration 500000", "out.m4a", 0},
	} {
		data := encode(t, dir, f.options, f.name)
		d := decode(t, bytes.NewReader(data), ffmpeg.Config{})
		all := audiotest.ReadAll(t, d, 1000)
		rng := rand.New(rand.NewPCG(3, 4))
		for i := range 4 {
			at := rng.IntN(len(all) - 4000)
			if i == 0 {
				at = 0
			}
			if err := d.SeekFrame(int64(at)); err != nil {
				t.Fatal(err)
			}
			got := make(frames, 0, 4000)
			for len(got) < cap(got) {
				n, err := d.Read(got[len(got):cap(got)])
				if err != nil {
					t.Fatalf("%s: frame %d: %v", f.options, at+len(got), err)
				}
				got = got[:len(got)+n]
			}
			if diff := distance(got, all[at:]); diff > f.near {
				t.Errorf("%s: frame %d: the difference is %.5f, want %.5f", f.options, at, diff, f.near)
			}
		}
		// As much is left as there should be.
		at := int64(len(all) - 12345)
		if err := d.SeekFrame(at); err != nil {
			t.Fatal(err)
		}
		if got := len(audiotest.ReadAll(t, d, 1000)); got != 12345 {
			t.Errorf("%s: got %d frames from %d on, want 12345", f.options, got, at)
		}
		if err := d.SeekFrame(int64(len(all)) + 100000); err != nil {
			t.Fatal(err)
		}
		if n, err := d.Read(make(frames, 10)); n != 0 || err != io.EOF {
			t.Errorf("%s: behind the end: got %d frames, %v; want io.EOF", f.options, n, err)
		}
	}
}

// distance is how loud the difference of got and want is, to want.
func distance(got, want frames) float64 {
	var d, s float64
	for i := range got {
		for ch := range 2 {
			e := float64(got[i][ch] - want[i][ch])
			d += e * e
			s += float64(want[i][ch]) * float64(want[i][ch])
		}
	}
	if d == 0 {
		return 0
	}
	return math.Sqrt(d / s)
}

// A file larger than all buffers, with its index at its end.
func TestAnIndexAtTheEndIsFound(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	audiotest.Run(t, dir, "sox -R -n -r 44100 -c 2 -b 16 source.wav synth 20 whitenoise gain -4")
	data := encode(t, dir, "-c:a alac", "out.m4a")
	if bytes.Index(data, []byte("moov")) < 1<<20 {
		t.Fatalf("the index is at %d already", bytes.Index(data, []byte("moov")))
	}
	want := audiotest.Reference(t, dir, "out.m4a", 2)
	d := decode(t, bytes.NewReader(data), ffmpeg.Config{})
	audiotest.Same(t, "file", audiotest.ReadAll(t, d, 1000), want)
	d = decode(t, audiotest.Pipe(bytes.NewReader(data)), ffmpeg.Config{})
	audiotest.Same(t, "pipe", audiotest.ReadAll(t, d, 1000), want)
	if err := d.SeekFrame(441000); err != nil || !d.Seekable() {
		t.Fatalf("a pipe that was kept: %v", err)
	}
	audiotest.Same(t, "pipe, sought", audiotest.ReadAll(t, d, 1000), want[441000:])
}

func TestTagsAreRead(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	const meta = "-metadata title=Söng -metadata artist=Me -metadata album=Al -metadata genre=Rock -metadata date=1999-01-02 -metadata track=7/9 "
	for _, f := range []struct{ options, name string }{
		{meta + "-c:a aac", "out.m4a"},
		{meta + "-c:a wmav2", "out.wma"},
		{meta + "-c:a aac -f matroska", "out.mka"},
	} {
		d := decode(t, audiotest.Pipe(bytes.NewReader(encode(t, dir, f.options, f.name))), ffmpeg.Config{})
		got := d.Tags()
		want := tags.Tags{Title: "Söng", Artist: "Me", Album: "Al", Genre: "Rock", Year: 1999, Track: 7}
		if off := got.Duration - seconds*time.Second; off < -50*time.Millisecond || off > 50*time.Millisecond {
			t.Errorf("%s: got a duration of %v, want %d s", f.name, got.Duration, seconds)
		}
		got.Duration = 0
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.name, diff)
		}
	}
}

// What a station has sent is heard soon, and not when some buffer is full.
func TestALiveStreamIsNotHeldBack(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	data := encode(t, dir, "-c:a aac -b:a 128k", "out.aac")
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Write(data[:32<<10]) // 2 s, and then nothing
	}()
	d := decode(t, r, ffmpeg.Config{})
	for got := 0; got < 44100; {
		n, err := d.Read(make(frames, 4096))
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	<-done
	r.Close()
	d.Close()
}

func BenchmarkOpen(b *testing.B) {
	audiotest.Need(b, "sox", "ffmpeg")
	dir := b.TempDir()
	source(b, dir, "-r 44100 -c 2 -b 16")
	data := encode(b, dir, "-c:a aac", "out.m4a")
	for b.Loop() {
		d, err := ffmpeg.NewDecoder(b.Context(), bytes.NewReader(data), ffmpeg.Config{})
		if err != nil {
			b.Fatal(err)
		}
		d.Close()
	}
}

func BenchmarkDecode(b *testing.B) {
	audiotest.Need(b, "sox", "ffmpeg")
	dir := b.TempDir()
	audiotest.Run(b, dir, "sox -R -n -r 44100 -c 2 -b 16 source.wav synth 60 pinknoise gain -4")
	for name, codec := range map[string]string{"AAC": "aac", "ALAC": "alac"} {
		data := encode(b, dir, "-c:a "+codec, "out.m4a")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make(frames, 4096)
			for b.Loop() {
				d, err := ffmpeg.NewDecoder(b.Context(), bytes.NewReader(data), ffmpeg.Config{})
				for err == nil {
					_, err = d.Read(buf)
				}
				d.Close()
			}
			b.ReportMetric(60*float64(b.N)/b.Elapsed().Seconds(), "x_realtime")
		})
	}
}
