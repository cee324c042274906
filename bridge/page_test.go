package bridge_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/raop/raoptest"

	"github.com/gorilla/websocket"
)

const pageToken = "a token nobody guesses"

// withPage is the settings of a house with a page.
func withPage(t *testing.T) config.Config {
	s := settings(t)
	s.Web = config.Web{Listen: "10.0.0.2:8330", Token: pageToken}
	return s
}

// get asks the page of a house for something.
func (h *house) get(method, path string, body io.Reader) (status int, text string) {
	h.t.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return h.lan.Host("10.0.0.9").DialContext(ctx, network, address)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	r, err := http.NewRequestWithContext(h.t.Context(), method, "http://10.0.0.2:8330"+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+pageToken)
	answer, err := client.Do(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.StatusCode, string(said)
}

// measures holds /metrics to having these lines.
func (h *house) measures(lines ...string) {
	h.t.Helper()
	_, text := h.get("GET", "/metrics", nil)
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			h.t.Errorf("/metrics does not say %s", line)
		}
	}
	if h.t.Failed() {
		h.t.Logf("it says:\n%s", text)
	}
}

func TestMetricsCountWhatWasPlayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, withPage(t), raoptest.Config{Drop: func(n int) bool { return n == 700 }})
		h.tone("tone.wav", 4) // of which only the first packets are sent twice
		h.measures(`airplay2mqtt_streams_total{device="kitchen"} 0`, `airplay2mqtt_dials_total{device="kitchen"} 0`,
			"airplay2mqtt_broker_connected 1", "airplay2mqtt_broker_reconnects_total 0", `airplay2mqtt_device_online{device="kitchen"} 1`)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if code := h.result("kitchen", "t"); code != "" {
			t.Fatalf("play_file: got %s, want ok", code)
		}
		h.measures(`airplay2mqtt_streams{device="kitchen"} 1`, `airplay2mqtt_sessions{device="kitchen"} 1`,
			`airplay2mqtt_first_packet_seconds_count{device="kitchen"} 1`, `airplay2mqtt_first_packet_seconds_bucket{device="kitchen",le="0.5"} 1`)
		h.until("airplay/kitchen/event", "playback_finished")
		time.Sleep(20 * time.Second) // it hangs up
		h.measures(`airplay2mqtt_streams{device="kitchen"} 0`, `airplay2mqtt_streams_total{device="kitchen"} 1`, `airplay2mqtt_sessions{device="kitchen"} 0`,
			`airplay2mqtt_first_packet_seconds_count{device="kitchen"} 1`, `airplay2mqtt_dials_total{device="kitchen"} 1`,
			`airplay2mqtt_dial_failures_total{device="kitchen"} 0`, `airplay2mqtt_stream_underruns_total{device="kitchen"} 0`,
			`airplay2mqtt_resend_requests_total{device="kitchen"} 1`, "airplay2mqtt_commands_total 1")
		if asked := rx[0].Log().Requested; asked != 1 {
			t.Errorf("the speaker asked for %d packets again, want 1", asked)
		}
		rx[0].Vanish()
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"u"}`)
		if code := h.result("kitchen", "u"); code != "device_offline" {
			t.Errorf("play_file to nobody: got %q, want device_offline", code)
		}
		_, text := h.get("GET", "/metrics", nil)
		if strings.Contains(text, `airplay2mqtt_dial_failures_total{device="kitchen"} 0`) {
			t.Error("no dial failure was counted")
		}
	})
}

func TestHealthIsThatOfTheLineToTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, withPage(t), raoptest.Config{})
		if status, text := h.get("GET", "/healthz", nil); status != 200 {
			t.Errorf("well: got %d %s, want 200", status, text)
		}
		h.broker.Load().Close()
		time.Sleep(time.Second)
		if status, text := h.get("GET", "/healthz", nil); status != 503 || !strings.Contains(text, "no connection to the broker") {
			t.Errorf("no broker: got %d %s, want 503", status, text)
		}
		h.startBroker()
		time.Sleep(time.Minute)
		if status, text := h.get("GET", "/healthz", nil); status != 200 {
			t.Errorf("broker back: got %d %s, want 200", status, text)
		}
		h.measures("airplay2mqtt_broker_reconnects_total 1")
	})
}

func TestUploadedFileIsPlayedAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withPage(t)
		h, rx := build(t, s, raoptest.Config{})
		want := h.tone("tone.wav", 1)
		sound, err := os.ReadFile(filepath.Join(h.media, "tone.wav"))
		if err != nil {
			t.Fatal(err)
		}
		status, text := h.get("POST", "/upload?name=tone.wav", strings.NewReader(string(sound)))
		var said struct{ Path string }
		if err := json.Unmarshal([]byte(text), &said); err != nil || status != http.StatusCreated {
			t.Fatalf("upload: got %d %s", status, text)
		}
		h.say("kitchen/play_file", `{"path":"`+said.Path+`","title":"Tone","transaction":"t"}`)
		if code := h.result("kitchen", "t"); code != "" {
			t.Fatalf("play_file: got %s, want ok", code)
		}
		h.until("airplay/kitchen/event", "playback_finished")
		if got := len(rx[0].Heard()); got < len(want)/2 {
			t.Errorf("heard %d frames, want all %d", got, len(want)/2)
		}
		time.Sleep(15 * time.Second)
		if _, err := os.Stat(filepath.Join(s.Data, "uploads", said.Path)); !os.IsNotExist(err) {
			t.Errorf("the file is there after it was played (%v)", err)
		}
	})
}

// visit has the page ask the doctor for a device, and returns what it is told.
func (h *house) visit(device string) string {
	h.t.Helper()
	d := websocket.Dialer{NetDialContext: h.lan.Host("10.0.0.9").DialContext}
	conn, _, err := d.DialContext(h.t.Context(), "ws://10.0.0.2:8330/socket", http.Header{"Authorization": {"Bearer " + pageToken}})
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"doctor":"`+device+`"}`)); err != nil {
		h.t.Fatal(err)
	}
	for {
		_, said, err := conn.ReadMessage()
		if err != nil {
			h.t.Fatal(err)
		}
		if strings.HasPrefix(string(said), `{"doctor":{`) {
			return string(said)
		}
	}
}

func TestDoctorSeesDevicesThatNobodyListensTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withPage(t)
		s.Groups = []config.Group{{Name: "Downstairs", Members: []string{"kitchen"}}}
		h, _ := build(t, s, raoptest.Config{})
		h.tone("tone.wav", 3)
		_ = h.stop()
		var asked []string
		h.doctor = func(_ context.Context, device string, clock *ptp.Engine) (json.RawMessage, error) {
			if clock == nil {
				t.Error("the doctor has no clock")
			}
			asked = append(asked, device)
			return json.RawMessage(`{"well":true}`), nil
		}
		h.moveIn(s)
		sees := func(when, device, want string) {
			t.Helper()
			if got := h.visit(device); !strings.Contains(got, want) {
				t.Errorf("%s: got %s, want %q", when, got, want)
			}
		}
		sees("idle", "kitchen", `"diagnosis":{"well":true}`)
		sees("a group", "downstairs", "no groups")
		sees("nobody", "attic", "there is no device")
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if code := h.result("kitchen", "t"); code != "" {
			t.Fatalf("play_file: got %s, want ok", code)
		}
		sees("while it plays", "kitchen", "something is played on it")
		h.until("airplay/kitchen/event", "playback_finished")
		h.until("airplay/kitchen/state", `"state":"idle"`)
		sees("just after it", "kitchen", "the bridge has a session with it")
		time.Sleep(15 * time.Second)
		sees("later", "kitchen", `"diagnosis":{"well":true}`)
		if want := []string{"Kitchen", "Kitchen"}; !slices.Equal(asked, want) {
			t.Errorf("the doctor was asked for %v, want %v", asked, want)
		}
	})
}

func TestPageThatOthersReachWantsAToken(t *testing.T) {
	s := settings(t)
	s.Web.Listen = "0.0.0.0:8330"
	if _, err := bridge.New(bridge.Config{Settings: s}); err == nil || !strings.Contains(err.Error(), "set web.token") {
		t.Errorf("got %v, want what to do", err)
	}
}
