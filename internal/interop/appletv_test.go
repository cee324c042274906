//go:build linux

package interop_test

import (
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/video/videotest"
	"airplay2mqtt/internal/interop"
)

// An Apple TV of ours with tvOS 26, on real connections: it is paired over MQTT,
// and shows a file that ffmpeg converts meanwhile, whose playlists it has the
// bridge fetch.
func TestAnAppleTVIsPairedAndShowsWhatIsConverted(t *testing.T) {
	const pin = "2580"
	house := interop.Open(t)
	cfg := airplaytest.AppleTV26(pin)
	cfg.Films.Screen = videotest.ScreenConfig{Film: 30 * time.Second}
	tv, err := airplaytest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tv.Close() })
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker:  house.Broker(t, interop.BrokerConfig{}),
		Files:   map[string][]byte{"film.mkv": read(t, record(t, "film.mkv"), "film.mkv")},
		Devices: []interop.Device{{Name: "Telly", Host: "127.0.0.1", Port: tv.Port(), Video: "queue", Protocol: "airplay"}},
	})
	c := &cinema{House: house, client: bridge.Client, t: t}
	c.order("pair", "")
	c.order("pair_pin", pin)
	c.watch("play_file", "film.mkv")
	l := tv.FilmLog()
	if len(l.Played) != 1 || !strings.HasSuffix(l.Played[0], "/film.m3u8") {
		t.Fatalf("played %v", l.Played)
	}
	if len(l.Lists) < 2 || len(l.Fetched) != 1 || !strings.HasPrefix(l.Fetched[0], "200 ") {
		t.Errorf("it was sent %d playlists, want two, and fetched %v itself, want a piece", len(l.Lists), l.Fetched)
	}
	if commands := strings.Join(l.Commands, " "); !strings.HasSuffix(commands, "seek stop removePlayQueueItem") {
		t.Errorf("commanded %s", commands)
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(l.Played[0], "http://"), "/")
	closes(t, host)
	if tv.Log().Teardowns != 1 {
		t.Error("others cannot use it")
	}
}
