package pcm_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/pcm"
)

var usual = pcm.Format{Rate: 44100, Channels: 2}

var locations = []struct {
	text  string
	want  pcm.Location
	again string // as it is written; "": it is not a location
}{
	{"pcm:/run/snapfifo", pcm.Location{Kind: pcm.FIFO, Address: "/run/snapfifo", Format: usual}, "pcm:/run/snapfifo?channels=2&rate=44100"},
	{"pcm:///run/snapfifo", pcm.Location{Kind: pcm.FIFO, Address: "/run/snapfifo", Format: usual}, "pcm:/run/snapfifo?channels=2&rate=44100"},
	{"PCM:/run//x/../snapfifo?rate=48000", pcm.Location{Kind: pcm.FIFO, Address: "/run/snapfifo", Format: pcm.Format{Rate: 48000, Channels: 2}}, "pcm:/run/snapfifo?channels=2&rate=48000"},
	{"pcm:/tmp/a%20b%3f", pcm.Location{Kind: pcm.FIFO, Address: "/tmp/a b?", Format: usual}, "pcm:/tmp/a%20b%3F?channels=2&rate=44100"},
	{"pcm+unix:/run/music.sock?rate=8000&channels=1", pcm.Location{Kind: pcm.Unix, Address: "/run/music.sock", Format: pcm.Format{Rate: 8000, Channels: 1}}, "pcm+unix:/run/music.sock?channels=1&rate=8000"},
	{"pcm+tcp://host:4953", pcm.Location{Kind: pcm.TCP, Address: "host:4953", Format: usual}, "pcm+tcp://host:4953?channels=2&rate=44100"},
	{"pcm+tcp://host:04953/?channels=6", pcm.Location{Kind: pcm.TCP, Address: "host:4953", Format: pcm.Format{Rate: 44100, Channels: 6}}, "pcm+tcp://host:4953?channels=6&rate=44100"},
	{"pcm+tcp://[::1]:80", pcm.Location{Kind: pcm.TCP, Address: "[::1]:80", Format: usual}, "pcm+tcp://[::1]:80?channels=2&rate=44100"},
	{"pcm+tcp://[fe80::1%25eth0]:80", pcm.Location{Kind: pcm.TCP, Address: "[fe80::1%eth0]:80", Format: usual}, "pcm+tcp://[fe80::1%25eth0]:80?channels=2&rate=44100"},
	{text: ""},
	{text: "/run/snapfifo"},
	{text: "pcm"},
	{text: "pcm:"},
	{text: "pcm:relative"},
	{text: "pcm:./relative"},
	{text: "pcm://host/path"},
	{text: "pcm:/a%00b"},
	{text: "pcm:/a%zz"},
	{text: "pcm:/a#b"},
	{text: "pcm+udp://host:1"},
	{text: "http://host/x"},
	{text: "pcm+tcp:host:4953"},
	{text: "pcm+tcp://:4953"},
	{text: "pcm+tcp://host"},
	{text: "pcm+tcp://host:"},
	{text: "pcm+tcp://host:0"},
	{text: "pcm+tcp://host:65536"},
	{text: "pcm+tcp://host:http"},
	{text: "pcm+tcp://host:1/path"},
	{text: "pcm+tcp://me:secret@host:1"},
	{text: "pcm+unix://host/x"},
	{text: "pcm:/x?rate=0"},
	{text: "pcm:/x?rate=999"},
	{text: "pcm:/x?rate=1000000"},
	{text: "pcm:/x?rate=-1"},
	{text: "pcm:/x?rate=44100&rate=48000"},
	{text: "pcm:/x?rate"},
	{text: "pcm:/x?channels=9"},
	{text: "pcm:/x?channels=two"},
	{text: "pcm:/x?bits=24"},
	{text: "pcm:/x?rate=1;2"},
}

func TestLocationsAreRead(t *testing.T) {
	for _, tt := range locations {
		got, err := pcm.Parse(tt.text)
		if tt.again == "" {
			if !errors.Is(err, pcm.ErrLocation) {
				t.Errorf("%q: got %+v, %v; want ErrLocation", tt.text, got, err)
			}
			continue
		}
		if err != nil || got != tt.want || got.String() != tt.again {
			t.Errorf("%q: got %+v as %s, %v; want %+v as %s", tt.text, got, got, err, tt.want, tt.again)
		}
	}
}

func TestLocationsAreKnownByTheirBeginning(t *testing.T) {
	for text, want := range map[string]bool{"pcm:/x": true, "pcm+tcp://x": true, "PCM+Unix:": true, "pcm": false, "pcm+x:": false, "/pcm:": false, "": false} {
		if got := pcm.Is(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range locations {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := pcm.Parse(text)
		if err != nil {
			if !errors.Is(err, pcm.ErrLocation) || l != (pcm.Location{}) {
				t.Fatalf("got %+v, %v; want ErrLocation", l, err)
			}
			return
		}
		if !pcm.Is(text) {
			t.Errorf("%q is parsed, but not known", text)
		}
		again, err := pcm.Parse(l.String())
		if err != nil || !cmp.Equal(again, l) {
			t.Errorf("%+v is %s, and then %+v, %v", l, l, again, err)
		}
	})
}
