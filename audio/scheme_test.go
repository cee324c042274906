package audio_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
)

func TestALiveInputIsHeardBitForBit(t *testing.T) {
	want := noise(30_000)
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		l := s.listen(t, ":4953")
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			time.Sleep(time.Minute) // nothing is played yet
			c.Write(littleEndian(want))
		}()
		begun := time.Now()
		track := s.open(t, "pcm+tcp://10.0.0.1:4953")
		if took := time.Since(begun); took > 0 || !track.Live || track.Seekable() {
			t.Errorf("took %v, live %v, seekable %v", took, track.Live, track.Seekable())
		}
		if _, err := track.Read(make([]audio.Frame, 1)); !errors.Is(err, audio.ErrNotReady) {
			t.Errorf("got %v, want ErrNotReady", err)
		}
		same(t, "input", hear(t, track), want)
	})
}

func TestALiveInputThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		if _, err := s.Open(t.Context(), "pcm+tcp://"); !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
		if _, err := s.Open(t.Context(), "pcm+tcp://10.0.0.1:9"); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Open(t.Context(), write(t, "x.m3u", []byte("pcm+tcp://10.0.0.1:9\n"))); !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("in a playlist: got %v", err)
		}
	})
}
