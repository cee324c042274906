package ogg_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/ogg"
)

func TestChainPlaysWithoutAGap(t *testing.T) {
	wav := sound(t, 48000, 2, 1.2)
	a := vorbis(t, wav, "-t", "first")
	b := opus(t, wav, "--title", "second")
	c := oggFLAC(t, sound(t, 48000, 1, 0.7), "-T", "TITLE=third")
	var want []frame
	var lengths []int
	for _, link := range [][]byte{a, b, c} {
		frames := all(t, decoder(t, bytes.NewReader(link)))
		want = append(want, frames...)
		lengths = append(lengths, len(frames))
	}
	data := slices.Concat(a, b, c)
	for name, r := range map[string]io.Reader{"file": bytes.NewReader(data), "pipe": audiotest.Trickle(bytes.NewReader(data))} {
		d := decoder(t, r)
		var got []frame
		titles := map[string]int{}
		for buf := make([]frame, 5000); ; {
			n, err := d.Read(buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			titles[d.Tags().Title] += n
		}
		if diff := differ(got, want, 0); diff != "" {
			t.Errorf("from a %s: %s", name, diff)
		}
		for i, title := range []string{"first", "second", "third"} {
			if titles[title] != lengths[i] {
				t.Errorf("from a %s: %d frames have the title %s, want %d", name, titles[title], title, lengths[i])
			}
		}
		if d.Link() != 2 {
			t.Errorf("from a %s: the last link is number %d, want 2", name, d.Link())
		}
	}
}

func TestChainSeeks(t *testing.T) {
	wav := sound(t, 48000, 2, 1.2)
	a, b, c := vorbis(t, wav), oggFLAC(t, wav), vorbis(t, sound(t, 48000, 1, 2))
	d := decoder(t, bytes.NewReader(slices.Concat(a, b, c)))
	want := all(t, d)
	if d.Len() != int64(len(want)) || len(want) != 57600*2+96000 {
		t.Errorf("got length %d, want %d", d.Len(), len(want))
	}
	checkSeeks(t, d, want, 0, 50)
}

// Files that were joined without care have the same serial. Whichever is the
// longer one, the border is found.
func TestChainOfEqualSerialsSeeks(t *testing.T) {
	short, long := sound(t, 44100, 2, 1), sound(t, 44100, 2, 8)
	for _, wavs := range [][2]string{{short, short}, {short, long}, {long, short}} {
		var data []byte
		for _, wav := range wavs {
			data = append(data, vorbis(t, wav, "-s", "4711")...)
		}
		d := decoder(t, bytes.NewReader(data))
		want := all(t, d)
		if d.Len() != int64(len(want)) {
			t.Errorf("got length %d, want %d", d.Len(), len(want))
		}
		checkSeeks(t, d, want, 0, 10)
	}
}

func TestChangeOfRateIsAnnounced(t *testing.T) {
	a, b := vorbis(t, sound(t, 44100, 2, 1)), vorbis(t, sound(t, 48000, 2, 1), "-t", "second")
	data := slices.Concat(a, b)
	for _, r := range []io.Reader{bytes.NewReader(data), audiotest.Trickle(bytes.NewReader(data))} {
		d := decoder(t, r)
		if d.Seekable() || d.Len() != -1 {
			t.Error("what has two rates is seekable")
		}
		first, err := audiotest.Drain(d, 700)
		if !errors.Is(err, ogg.ErrRateChanged) {
			t.Fatalf("got %v, want ErrRateChanged", err)
		}
		if n, err := d.Read(make([]frame, 1)); n != 0 || !errors.Is(err, ogg.ErrRateChanged) {
			t.Errorf("got %d frames, %v, want ErrRateChanged until Next", n, err)
		}
		if d.Rate() != 44100 {
			t.Errorf("the rate is %d before Next, want 44100", d.Rate())
		}
		d.Next()
		if d.Rate() != 48000 || d.Tags().Title != "second" {
			t.Errorf("got %d Hz and title %q", d.Rate(), d.Tags().Title)
		}
		if diff := differ(first, all(t, decoder(t, bytes.NewReader(a))), 0); diff != "" {
			t.Error(diff)
		}
		if diff := differ(all(t, d), all(t, decoder(t, bytes.NewReader(b))), 0); diff != "" {
			t.Error(diff)
		}
	}
}

func TestLinkThatCannotBePlayedIsPassedOver(t *testing.T) {
	wav := sound(t, 48000, 2, 0.5)
	a, c := vorbis(t, wav), vorbis(t, wav)
	b := join([]oggPage{{flags: 2, serial: 7, lacing: []byte{8}, body: []byte("Speex   ")}, {serial: 7, sequence: 1, lacing: []byte{0}}})
	broken := replacePacket(vorbis(t, wav), 2, []byte("\x05vorbis, but not really"))
	data := slices.Concat(a, b, broken, c)
	want := slices.Concat(all(t, decoder(t, bytes.NewReader(a))), all(t, decoder(t, bytes.NewReader(c))))
	if diff := differ(all(t, decoder(t, audiotest.Trickle(bytes.NewReader(data)))), want, 0); diff != "" {
		t.Error(diff)
	}
	d := decoder(t, bytes.NewReader(data))
	if diff := differ(all(t, d), want, 0); diff != "" {
		t.Error(diff)
	}
	checkSeeks(t, d, want, 0, 5)
}

func TestOtherStreamsAreFiltered(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 3))
	want := all(t, decoder(t, bytes.NewReader(data)))
	ours, others := pagesOf(data), pagesOf(opus(t, sound(t, 48000, 2, 3)))
	video := oggPage{flags: 2, serial: 9, lacing: []byte{42}, body: append([]byte("\x80theora"), make([]byte, 35)...)}
	mixed := []oggPage{video, ours[0], others[0]}
	for i := 1; i < max(len(ours), len(others)); i++ {
		if i < len(ours) {
			mixed = append(mixed, ours[i])
		}
		if i < len(others) {
			mixed = append(mixed, others[i])
		}
		mixed = append(mixed, oggPage{serial: 9, sequence: uint32(i), granule: int64(i), lacing: []byte{200}, body: make([]byte, 200)})
	}
	both := join(mixed)
	d := decoder(t, bytes.NewReader(both))
	if diff := differ(all(t, d), want, 0); diff != "" {
		t.Error(diff)
	}
	if d.Len() != int64(len(want)) {
		t.Errorf("got length %d, want %d", d.Len(), len(want))
	}
	checkSeeks(t, d, want, 0, 20)
	if diff := differ(all(t, decoder(t, audiotest.Trickle(bytes.NewReader(both)))), want, 0); diff != "" {
		t.Errorf("from a pipe: %s", diff)
	}
}

// Packets may be cut into pages in any way.
func TestPacketsAcrossPages(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 1))
	want := all(t, decoder(t, bytes.NewReader(data)))
	var small []oggPage
	sequence := uint32(0)
	for _, p := range pagesOf(data) {
		body, continued := p.body, p.flags&1
		for i := range p.lacing {
			one := oggPage{flags: p.flags&2 | continued, granule: -1, serial: p.serial, sequence: sequence, lacing: p.lacing[i : i+1]}
			one.body, body = body[:p.lacing[i]], body[p.lacing[i]:]
			continued = 0
			if p.lacing[i] == 255 {
				continued = 1
			}
			if i == len(p.lacing)-1 {
				one.granule, one.flags = p.granule, one.flags|p.flags&4
			}
			small = append(small, one)
			sequence++
		}
	}
	d := decoder(t, bytes.NewReader(join(small)))
	if diff := differ(all(t, d), want, 0); diff != "" {
		t.Error(diff)
	}
	checkSeeks(t, d, want, 0, 20)
}
