package audio_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/internal/audiotest"
)

// oggs makes two Ogg files, of 44100 and of 22050 frames a second, and a chain
// of both.
func oggs(t *testing.T) (one, chain []byte) {
	t.Helper()
	audiotest.Need(t, "sox", "oggenc")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.wav"), wave(44100, tune(44100, 3*tuneFrames)), 0o644); err != nil {
		t.Fatal(err)
	}
	audiotest.Run(t, dir, "oggenc -Q -s 1 -o a.ogg in.wav")
	audiotest.Run(t, dir, "oggenc -Q -s 2 --resample 22050 -o b.ogg in.wav")
	a, err := os.ReadFile(filepath.Join(dir, "a.ogg"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "b.ogg"))
	if err != nil {
		t.Fatal(err)
	}
	return a, append(bytes.Clone(a), b...)
}

func TestAChainOfDifferentRatesDoesNotCallItselfSeekable(t *testing.T) {
	one, chain := oggs(t)
	for _, c := range []struct {
		name     string
		file     []byte
		seekable bool
	}{{"one link", one, true}, {"two rates", chain, false}} {
		file := open(t, write(t, "x.ogg", c.file))
		if got := file.Seekable(); got != c.seekable {
			t.Errorf("%s, a file: got seekable %v", c.name, got)
		}
		want := len(hear(t, file)) / 2
		if err := file.Source.(*audio.Buffer).SeekFrame(100); errors.Is(err, audio.ErrNotSeekable) == c.seekable {
			t.Errorf("%s, a file: got %v", c.name, err)
		}
		for name, h := range map[string]http.HandlerFunc{"at once": content(c.file), "slowly": slowly(c.file, 20_000)} {
			virtual(t, c.name+" "+name, func(t *testing.T) {
				s := newSite(t, h)
				track := s.open(t, "http://10.0.0.1/x.ogg")
				if name == "slowly" && track.Seekable() {
					t.Error("got seekable before that can be known")
				}
				if got := len(hear(t, track)) / 2; name == "at once" && !c.seekable && got < want {
					t.Errorf("got %d frames, want %d", got, want)
				}
				synctest.Wait()
				if got := track.Seekable(); got != c.seekable {
					t.Errorf("in the end: got seekable %v", got)
				}
			})
		}
	}
}

func TestLargeOggIsSoughtByPartsIfItIsOneLink(t *testing.T) {
	audiotest.Need(t, "flac")
	small, two := oggs(t)
	const frames = 2_500_000
	want := noise(frames)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.wav"), wave(44100, want), 0o644); err != nil {
		t.Fatal(err)
	}
	audiotest.Run(t, dir, "flac -s -0 --ogg --serial-number=7 -o a.oga in.wav")
	large, err := os.ReadFile(filepath.Join(dir, "a.oga"))
	if err != nil {
		t.Fatal(err)
	}
	virtual(t, "one link", func(t *testing.T) {
		s := &shelf{tag: `"1"`, file: large, ranges: true}
		track := s.open(t)
		if !track.Seekable() {
			t.Fatal("got no seekable track")
		}
		b := track.Source.(*audio.Buffer)
		if err := b.SeekFrame(frames - 1000); err != nil {
			t.Fatal(err)
		}
		same(t, "the end", hear(t, track), want[2*(frames-1000):])
	})
	virtual(t, "two rates", func(t *testing.T) {
		s := &shelf{tag: `"1"`, file: append(bytes.Clone(large), two[len(small):]...), ranges: true}
		if track := s.open(t); track.Seekable() {
			t.Error("got a seekable track")
		}
	})
}

func (s *shelf) open(t *testing.T) audio.Track {
	t.Helper()
	return newSite(t, s.ServeHTTP).open(t, "http://10.0.0.1/x")
}
