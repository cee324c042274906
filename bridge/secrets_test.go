package bridge_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
)

// Everything that a bridge ever says, on topics and in its log at its loudest,
// is searched for everything that it must keep to itself.
func TestNoSecretIsEverSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := map[string]string{
			"the broker's password":       "Brk-5fd1-pw",
			"the broker's user":           "Brk-77aa-user",
			"a device's password":         "Dev-9c3e-pw",
			"a device's wrong password":   "Dev-1b2c-wrong",
			"the key of credentials":      "Key-4d4d-key",
			"the token of Home Assistant": "Hat-0f0f-token",
			"a user in an address":        "Usr-2222-user",
			"a password in an address":    "Usr-3333-pw",
			"the query of an address":     "Qry-8e8e-token",
			"the query of a playlist":     "Lst-6a6a-token",
			"a fragment":                  "Frg-1212-part",
			"a PIN":                       "94620718",
		}
		s := settings(t)
		s.MQTT.Username, s.MQTT.Password = secrets["the broker's user"], secrets["the broker's password"]
		s.Credentials.Key = secrets["the key of credentials"]
		s.HomeAssistant.URL, s.HomeAssistant.Token = "http://10.0.0.31:8123", secrets["the token of Home Assistant"]
		s.Devices[0].Password = secrets["a device's password"]
		s.Devices = append(s.Devices, config.Device{Name: "Porch", Host: "10.0.0.21", Port: 5000, Protocol: "auto", Password: secrets["a device's wrong password"]})
		s.Log.Level = "debug"
		var log lockedBuffer
		h, _ := buildLogging(t, s, zerolog.New(&log),
			raoptest.Config{Name: "Kitchen", Password: secrets["a device's password"]}, raoptest.Config{Name: "Porch", Password: "another"})
		serveSounds(t, h, secrets["the query of a playlist"])

		at := "http://" + secrets["a user in an address"] + ":" + secrets["a password in an address"] + "@"
		query := "?token=" + secrets["the query of an address"] + "#" + secrets["a fragment"]
		for _, payload := range []string{
			at + "10.0.0.30/bell.wav" + query,     // is played
			at + "10.0.0.30/list.m3u" + query,     // leads to others
			at + "10.0.0.30/missing.mp3" + query,  // is not there
			at + "10.0.0.30/moved.mp3" + query,    // leads elsewhere
			at + "10.0.0.30/text.mp3" + query,     // is no sound
			at + "10.0.0.99/bell.wav" + query,     // nobody answers
			at + "127.0.0.1/bell.wav" + query,     // is forbidden
			"ftp:" + at[5:] + "10.0.0.30" + query, // is not spoken
			"http://[" + at + query,               // is no address
			`{"url":"` + at + "10.0.0.30/bell.wav" + query + `","volum":3}`,
			`{"url":"` + at + "10.0.0.30/bell.wav" + query,
		} {
			for _, verb := range []string{"play_url", "probe", "announce"} {
				if verb == "announce" && !strings.HasPrefix(payload, "{") {
					payload = `{"url":"` + payload + `"}`
				}
				h.say("kitchen/"+verb, payload)
				time.Sleep(4 * time.Second)
			}
		}
		h.say("kitchen/play_url", `{"url":"`+at+"10.0.0.30/bell.wav"+query+`","enqueue":"add"}`)
		h.say("kitchen/play_url", `{"url":"`+at+"10.0.0.30/bell.wav"+query+`","enqueue":"add"}`)
		h.say("porch/play_url", "http://10.0.0.30/bell.wav")
		h.say("kitchen/announce", "a text to be spoken")
		time.Sleep(4 * time.Second) // so that nothing is refused because there is too much
		for _, verb := range []string{"pair", "pair_pin"} {
			h.say("kitchen/"+verb, secrets["a PIN"])
			h.say("kitchen/"+verb, `{"pin":"`+secrets["a PIN"]+`","pim":1}`)
			h.say("kitchen/"+verb, `{"pin":"`+secrets["a PIN"])
		}
		for _, request := range []string{"diagnostics", "discovery/republish", "rescan", "ping"} {
			h.say("bridge/request/"+request, "{}")
		}
		time.Sleep(2 * time.Minute)
		_ = h.stop()
		h.until("airplay/porch/state", "password_required")

		if events := strings.Join(h.every("airplay/kitchen/event"), ""); !strings.Contains(events, "playback_started") || !strings.Contains(events, "playback_failed") {
			t.Fatalf("nothing was played, or nothing failed: %s", events)
		}
		if states := strings.Join(h.every("airplay/kitchen/state/media_content_id"), ""); !strings.Contains(states, "http://10.0.0.30/bell.wav") {
			t.Fatalf("no address is told, so that nothing could be told with it: %s", states)
		}
		if log.String() == "" || !strings.Contains(log.String(), `"level":"debug"`) {
			t.Fatal("the log is not at its loudest")
		}
		for what, secret := range secrets {
			for _, form := range forms(secret) {
				if at := strings.Index(log.String(), form); at >= 0 {
					t.Errorf("the log says %s: …%s…", what, log.String()[max(0, at-200):min(len(log.String()), at+60)])
				}
				h.ear.mu.Lock()
				for _, m := range h.ear.all {
					if strings.Contains(string(m.Payload), form) && !ordered(m.Topic) {
						t.Errorf("%s says %s: %s", m.Topic, what, m.Payload)
					}
				}
				h.ear.mu.Unlock()
			}
		}
	})
}

// ordered tells whether a topic is one on which the test itself has said what it
// is not to hear.
func ordered(topic string) bool {
	for _, verb := range []string{"/play_url", "/probe", "/announce", "/pair", "/pair_pin"} {
		if strings.HasSuffix(topic, verb) {
			return true
		}
	}
	return false
}

// forms are the ways in which a secret might be written.
func forms(secret string) []string {
	return []string{
		secret, strings.ToUpper(secret), strings.ToLower(secret), url.QueryEscape(secret),
		hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
	}
}

// serveSounds answers at 10.0.0.30 with a sound, and with what is none.
func serveSounds(t *testing.T, h *house, token string) {
	t.Helper()
	l, err := h.lan.Host("10.0.0.30").Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/bell.wav", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wavOf(spoken("bell"))) })
	mux.HandleFunc("/list.m3u", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("#EXTM3U\n#EXTINF:1,A\nhttp://10.0.0.30/bell.wav?token=" + token + "\nhttp://10.0.0.30/missing.wav?token=" + token + "\n"))
	})
	mux.HandleFunc("/moved.mp3", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1/other?token="+token, http.StatusFound)
	})
	mux.HandleFunc("/text.mp3", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>" + token + "</html>")) })
	server := http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}
