//go:build linux

package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// moment bounds the wait for what comes at once, on a machine that has other
// things to do as well.
const moment = 5 * time.Second

// A home is what most tests have: a broker, and a bridge that plays in the
// kitchen.
type home struct {
	*interop.House
	broker  *interop.Broker
	bridge  *interop.Bridge
	client  *interop.Client
	kitchen *interop.Receiver
}

// newHome starts a bridge with these files in its media folder.
func newHome(t *testing.T, files map[string][]byte) home {
	t.Helper()
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device()}, Files: files,
	})
	return home{house, broker, bridge, bridge.Client, house.Kitchen}
}

// foundHome is a home whose bridge finds the kitchen by mDNS, and is told by its
// configuration what is not to be found out.
func foundHome(t *testing.T, kitchen interop.Device, files map[string][]byte) home {
	t.Helper()
	house := interop.Open(t)
	house.NeedMDNS(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, MDNS: true, Devices: []interop.Device{kitchen}, Files: files, Measured: kitchen.Latency != "",
	})
	return home{house, broker, bridge, bridge.Client, house.Kitchen}
}

// tell gives the kitchen a command and returns when.
func (h home) tell(t *testing.T, command, payload string) time.Time {
	t.Helper()
	return h.client.Publish(t, "airplay/kitchen/"+command, payload)
}

// order gives the kitchen a command and wants it to be answered with ok.
func (h home) order(t *testing.T, command, payload string) time.Time {
	t.Helper()
	at := h.tell(t, command, payload)
	if got := h.client.Result(t, at, "kitchen", command); got.Code() != "ok" {
		t.Fatalf("%s %s: got %s (%v), want ok", command, payload, got.Code(), got.Error)
	}
	return at
}

// serve answers every request for a path with a file, as a NAS does: with its
// length, and in parts if wanted.
func serve(t *testing.T, files map[string][]byte) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, r.URL.Path, time.Now(), bytes.NewReader(content))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// broadcast answers every request with a file again and again, without a
// length and without an end.
func broadcast(t *testing.T, content []byte) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		for r.Context().Err() == nil {
			w.Write(content)
		}
	}))
	t.Cleanup(func() { // it has no end while somebody listens
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// encoders are the programs that make a file of a format out of a WAV file.
var encoders = map[string][]string{
	"mp3":  {"lame", "--silent", "-b", "192", "-", "-"},
	"flac": {"flac", "--silent", "--stdout", "-"},
	"ogg":  {"oggenc", "--quiet", "-q", "6", "-o", "-", "-"},
}

func encode(t *testing.T, format string, sound interop.Sound) []byte {
	t.Helper()
	return pipe(t, sound.WAV(), encoders[format]...)
}

// decode is what somebody else hears in a file.
func decode(t *testing.T, file []byte) interop.Sound {
	t.Helper()
	wav := pipe(t, file, "ffmpeg", "-loglevel", "error", "-i", "-", "-f", "wav", "-bitexact", "-c:a", "pcm_s16le", "-")
	sound, err := interop.ParseWAV(wav)
	if err != nil {
		t.Fatal(err)
	}
	return sound
}

// pipe is what a program makes of its input.
func pipe(t *testing.T, input []byte, command ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, errs.String())
	}
	return out.Bytes()
}

// events are what happened to a device since an instant, as type and reason.
func events(t *testing.T, c *interop.Client, at time.Time, device string) []string {
	t.Helper()
	var all []string
	for _, m := range c.Since(at, "airplay/"+device+"/event") {
		var e interop.Event
		if err := json.Unmarshal([]byte(m.Payload), &e); err != nil {
			t.Fatalf("event %q: %v", m.Payload, err)
		}
		all = append(all, strings.TrimSpace(e.Type+" "+e.Reason))
	}
	return all
}

// milliseconds shows a duration with a tenth of a millisecond.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// value shows what a pointer points to.
func value[T any](p *T) string {
	if p == nil {
		return "null"
	}
	return fmt.Sprint(*p)
}

// near tells whether a number is there and about right.
func near(got *float64, want, tolerance float64) bool {
	return got != nil && math.Abs(*got-want) <= tolerance
}
