//go:build linux

package interop_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay/video/videotest"
	"airplay2mqtt/internal/interop"
)

// record makes half a minute of film with ffmpeg, in a folder, and returns it.
func record(t *testing.T, options string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	args := append(strings.Fields("-v error -f lavfi -i testsrc=s=320x240:r=25:d=30 -f lavfi -i sine=d=30"+
		" -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -c:a aac"), strings.Fields(options)...)
	cmd := exec.Command("ffmpeg", args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return folder
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A cinema is a home with a television that shows films.
type cinema struct {
	*interop.House
	tv     *interop.Television
	client *interop.Client
	t      *testing.T
}

func newCinema(t *testing.T, files map[string][]byte) *cinema {
	t.Helper()
	house := interop.Open(t)
	tv := house.Cinema(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Files: files,
		Devices: []interop.Device{{Name: "Telly", Host: tv.Host, Port: tv.Port, Video: "airplay1"}},
	})
	return &cinema{house, tv, bridge.Client, t}
}

// site serves a folder at our address that the television reaches.
func (c *cinema) site(folder string) (url string) {
	c.t.Helper()
	i, err := net.InterfaceByName(c.tv.Interface)
	if err != nil {
		c.t.Fatal(err)
	}
	addresses, err := i.Addrs()
	if err != nil || len(addresses) == 0 {
		c.t.Fatalf("no address: %v", err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(addresses[0].(*net.IPNet).IP.String(), "0"))
	if err != nil {
		c.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.FileServer(http.Dir(folder)))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	c.t.Cleanup(server.Close)
	return server.URL
}

// show is what the state says of a film.
type show struct {
	State    string   `json:"state"`
	Kind     string   `json:"media_content_type"`
	Position *float64 `json:"media_position"`
	Duration *float64 `json:"media_duration"`
}

// until waits for a state, and returns it.
func (c *cinema) until(what string, is func(show) bool) show {
	c.t.Helper()
	var s show
	deadline := time.Now().Add(40 * time.Second)
	for time.Now().Before(deadline) {
		s = show{}
		if json.Unmarshal([]byte(c.latest()), &s) == nil && is(s) {
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("%s: got %s\n%s", what, c.latest(), c.log())
	return s
}

// log is what the television says.
func (c *cinema) log() string {
	if c.tv == nil {
		return ""
	}
	return c.tv.Log().Tail(40)
}

// latest is what the state was last.
func (c *cinema) latest() string {
	all := c.client.Since(time.Time{}, "airplay/telly/state")
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].Payload
}

func (c *cinema) state(word string) show {
	c.t.Helper()
	return c.until(word, func(s show) bool { return s.State == word })
}

// order gives the television a command and wants it to be answered with ok.
func (c *cinema) order(command, payload string) {
	c.t.Helper()
	at := c.client.Publish(c.t, "airplay/telly/"+command, payload)
	if got := c.client.Result(c.t, at, "telly", command); got.Code() != "ok" {
		c.t.Fatalf("%s %s: got %s (%v), want ok\n%s", command, payload, got.Code(), got.Error, c.log())
	}
}

// watch has a film played, paused, sought and stopped.
func (c *cinema) watch(command, payload string) {
	c.t.Helper()
	c.order(command, payload)
	s := c.state("playing")
	if s.Kind != "video" || s.Position == nil {
		c.t.Errorf("got %+v, want a video with a position", s)
	}
	time.Sleep(3 * time.Second)
	c.order("pause", "")
	paused := c.state("paused")
	if *paused.Position < *s.Position+1.5 || *paused.Position > *s.Position+6 {
		c.t.Errorf("paused at %v s, 3 s after %v s", *paused.Position, *s.Position)
	}
	c.order("play", "")
	c.state("playing")
	c.order("seek", "20")
	c.until("sought", func(s show) bool { return s.State == "playing" && s.Position != nil && *s.Position > 17 })
	c.order("stop", "")
	c.state("idle")
}

// UxPlay before 1.74 takes the address of a master list only, and asks the sender
// for all lists, whose addresses have to be whole.
func TestATelevisionShowsHLSOfALocalServer(t *testing.T) {
	c := newCinema(t, nil)
	folder := t.TempDir()
	site := c.site(folder)
	made := record(t, "-f hls -hls_time 4 -hls_playlist_type vod -hls_base_url "+site+"/ low.m3u8")
	if err := os.CopyFS(folder, os.DirFS(made)); err != nil {
		t.Fatal(err)
	}
	master := "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS=\"avc1.42c00d,mp4a.40.2\",RESOLUTION=320x240,FRAME-RATE=25\n" + site + "/low.m3u8\n"
	if err := os.WriteFile(filepath.Join(folder, "master.m3u8"), []byte(master), 0o644); err != nil {
		t.Fatal(err)
	}
	c.watch("play_url", site+"/master.m3u8")
}

// An actor is a home with a television of ours, which fetches as Apple's does.
func newActor(t *testing.T, cfg interop.BridgeConfig) (*cinema, *videotest.Television) {
	t.Helper()
	house := interop.Open(t)
	tv, err := videotest.NewTelevision(videotest.TelevisionConfig{Film: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tv.Close() })
	cfg.Broker = house.Broker(t, interop.BrokerConfig{})
	cfg.Devices = []interop.Device{{Name: "Telly", Host: "127.0.0.1", Port: tv.Port(), Video: "airplay1"}}
	bridge := house.Bridge(t, cfg)
	return &cinema{House: house, client: bridge.Client, t: t}, tv
}

// fetched is where a television got its last film from, and all that it fetched.
func fetched(t *testing.T, tv *videotest.Television) (host, all string) {
	t.Helper()
	played := tv.Log().Played
	if len(played) == 0 {
		t.Fatal("nothing was played")
	}
	u, err := url.Parse(played[len(played)-1])
	if err != nil {
		t.Fatal(err)
	}
	return u.Host, strings.Join(tv.Log().Fetched, ", ")
}

// closes waits until nobody listens any more.
func closes(t *testing.T, host string) {
	t.Helper()
	for deadline := time.Now().Add(moment); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", host, time.Second)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatalf("%s is still open after the film", host)
		}
	}
}

func TestAFileIsShownFromTheBridge(t *testing.T) {
	c, tv := newActor(t, interop.BridgeConfig{Files: map[string][]byte{"film.mp4": read(t, record(t, "film.mp4"), "film.mp4")}})
	c.watch("play_file", "film.mp4")
	host, all := fetched(t, tv)
	if !strings.HasPrefix(all, "bytes=0-1 206 2, bytes=0- 206 ") {
		t.Errorf("fetched %s", all)
	}
	closes(t, host)
}

func TestAPrivateCertificateIsPassedThroughIfTrusted(t *testing.T) {
	film := read(t, record(t, "-movflags faststart film.mp4"), "film.mp4")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "film.mp4", time.Time{}, bytes.NewReader(film))
	}))
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	c, tv := newActor(t, interop.BridgeConfig{CAFile: authority})
	c.watch("play_url", server.URL+"/film.mp4?token=secret")
	if host, _ := fetched(t, tv); strings.Contains(server.URL, host) || strings.Contains(tv.Log().Played[0], "secret") {
		t.Errorf("the television was told %s", tv.Log().Played[0])
	} else {
		closes(t, host)
	}

	c, tv = newActor(t, interop.BridgeConfig{})
	at := c.client.Publish(t, "airplay/telly/play_url", server.URL+"/film.mp4")
	if got := c.client.Result(t, at, "telly", "play_url"); got.Code() != "tls_untrusted" || len(tv.Log().Requests) > 0 {
		t.Errorf("not trusted: got %s, and the television was asked %v", got.Code(), tv.Log().Requests)
	}
}
