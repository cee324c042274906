package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/web"

	"github.com/rs/zerolog"
)

func TestPageIsToldWhatTheBrokerKeepsAndWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.publish("airplay/kitchen/state", `{"state":"idle"}`)
		h.publish("airplay/gone/state", `{"state":"idle"}`)
		h.publish("airplay/gone/state", "")
		h.publish("airplay/kitchen/pair_pin", "1234")
		h.publish("airplay/kitchen/event", `{"event_type":"past"}`)
		b := h.browse()
		if got := b.next(); !strings.Contains(got, `"hello":"test","base":"airplay"`) {
			t.Errorf("first: got %s, want a greeting", got)
		}
		if got, want := b.next(), `{"connected":true}`; got != want {
			t.Errorf("second: got %s, want %s", got, want)
		}
		want := `{"topic":"airplay/kitchen/state","payload":"{\"state\":\"idle\"}"}`
		if got := b.next(); got != want {
			t.Errorf("kept: got %s, want %s", got, want)
		}
		h.publish("airplay/kitchen/event", `{"event_type":"paired"}`)
		if got := b.next(); !strings.Contains(got, "paired") {
			t.Errorf("live: got %s, want the event, and no PIN", got)
		}
		h.broker.Close()
		b.until(`{"connected":false}`)
	})
}

func TestPagePublishesCommandsAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		b := h.browse()
		for ask, want := range map[string]string{
			`{"topic":"airplay/kitchen/state","payload":"{}"}`:    "is no topic of a command",
			`{"topic":"airplay/bridge/chime"}`:                    "is no topic of a command",
			`{"topic":"airplay/+/chime"}`:                         "is no topic of a command",
			`{"topic":"airplay/a/b/chime"}`:                       "is no topic of a command",
			`{"topic":"homeassistant/status","payload":"online"}`: "below airplay/ only",
			`{"topic":"airplay/bridge/request/restart"}`:          `no request "restart"`,
			`{"topic":"airplay/kitchen/chime","retain":true}`:     "unknown field",
			`{"topic":"airplay/kitchen/chime","tail":"on"}`:       "one of topic, tail and doctor",
			`{"tail":"maybe"}`:                                    "tail is on or off",
			`[]`:                                                  "a JSON object is wanted",
			`{"topic":"airplay/kitchen/chime","payload":"` + strings.Repeat("x", 65<<10) + `"}`: "publishes 65536 at most",
		} {
			b.say(ask)
			if got := b.until(`"error"`); !strings.Contains(problem(got), want) {
				t.Errorf("%.60s: got %s, want %q", ask, got, want)
			}
		}
		b.say(`{"topic":"airplay/kitchen/chime","payload":"doorbell"}`)
		b.say(`{"topic":"airplay/bridge/request/group/set","payload":"{\"name\":\"x\"}"}`)
		time.Sleep(time.Second)
		for topic, want := range map[string]string{"airplay/kitchen/chime": "doorbell", "airplay/bridge/request/group/set": `{"name":"x"}`} {
			if got, times := h.heard(topic); got != want || times != 1 {
				t.Errorf("%s: got %q %d times, want %q once", topic, got, times, want)
			}
		}
		if _, times := h.heard("airplay/kitchen/state"); times > 0 {
			t.Error("a state was published by a page")
		}
	})
}

func TestPageThatSaysTooMuchIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		b := h.browse()
		for range 200 {
			b.say(`{"topic":"airplay/kitchen/set_volume","payload":"1"}`)
		}
		b.until("too many messages at once")
		time.Sleep(time.Second)
		if _, times := h.heard("airplay/kitchen/set_volume"); times < 60 || times > 90 {
			t.Errorf("got %d messages published, want the 60 of a burst and a few more", times)
		}
	})
}

func TestPageThatDoesNotReadIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		b := h.browse()
		big := strings.Repeat("x", 10<<10)
		for i := range 700 {
			h.publish("airplay/kitchen/artwork_base64", fmt.Sprint(i, big))
		}
		time.Sleep(time.Minute)
		var err error
		for err == nil {
			_, _, err = b.conn.ReadMessage()
		}
		if _, body := h.ask("GET", "/metrics", nil); !strings.Contains(body, "airplay2mqtt_pages 0\n") {
			t.Errorf("a page that does not read is still there:\n%s", body)
		}
	})
}

func TestWhatIsKeptForPagesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		big := strings.Repeat("x", 900<<10)
		for i := range 50 {
			h.publish(fmt.Sprintf("airplay/junk%d/artwork_base64", i), big)
		}
		h.publish("airplay/kitchen/state", `{"state":"idle"}`)
		b := h.browse()
		size, topics := 0, 0
		for {
			said := b.next()
			size += len(said)
			topics++
			if strings.Contains(said, "airplay/kitchen/state") {
				break // the last, in the order of topics
			}
		}
		if size > 33<<20 || topics < 10 {
			t.Errorf("a page was told %d bytes in %d frames, want 32 MiB at most", size, topics)
		}
	})
}

func TestTailShowsTheLogWithoutSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tail := web.NewTail(`hunter"2`, "")
		log := zerolog.New(tail)
		h := build(t, func(c *web.Config) { c.Tail = tail })
		log.Info().Str("password", `hunter"2`).Msg("before")
		b := h.browse()
		b.say(`{"tail":"on"}`)
		if got, want := b.until(`"log"`), `{"log":{"level":"info","password":"***","message":"before"}}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		log.Warn().Msg("during")
		b.until("during")
		b.say(`{"tail":"off"}`)
		synctest.Wait()
		for i := range 400 {
			log.Info().Int("i", i).Msg("after")
		}
		fmt.Fprintln(tail, "no JSON")
		b.say(`{"tail":"on"}`)
		if got := b.until(`"log"`); !strings.Contains(got, `"i":101`) {
			t.Errorf("first of the last 300: got %s, want i 101", got)
		}
		if got := b.until("no JSON"); got != `{"log":{"message":"no JSON"}}` {
			t.Errorf("a line that is no JSON: got %s", got)
		}
	})
}

func TestDoctorSeesOneDeviceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(c *web.Config) {
			c.Doctor = func(ctx context.Context, device string) (json.RawMessage, error) {
				if device == "hall" {
					return nil, errors.New("something is played on it")
				}
				time.Sleep(time.Second)
				return json.RawMessage(`{"well":true}`), ctx.Err()
			}
		})
		b := h.browse()
		b.say(`{"doctor":"kitchen"}`)
		time.Sleep(time.Millisecond)
		b.say(`{"doctor":"bath"}`)
		for _, want := range []string{
			`{"doctor":{"device":"bath","error":"the doctor is with another device; ask again in a minute"}}`,
			`{"doctor":{"device":"kitchen","diagnosis":{"well":true}}}`,
		} {
			if got := b.until(`"doctor":{`); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		b.say(`{"doctor":"hall"}`)
		b.until(`"error":"something is played on it"`)
	})
}

func TestEverythingEndsWithinASecondThoughPagesAreOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.browse()
		began := time.Now()
		if err := h.stop(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAddressThatIsTakenIsSaid(t *testing.T) {
	s, err := web.New(web.Config{Address: "127.0.0.1:8330", Base: "airplay", Broker: mqtt.Config{Server: "mqtt://b"},
		Listen: func(string, string) (net.Listener, error) { return nil, errors.New("address already in use") }})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Run(t.Context()), "web: address already in use"; got == nil || got.Error() != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ill error
		h := build(t, func(c *web.Config) {
			c.Health = func() error { return ill }
			c.Measure = func() []web.Metric {
				return []web.Metric{{Name: "x_total", Kind: "counter", Help: "Lines\nand \\.", Samples: []web.Sample{
					{Labels: []string{"device", "a\"b\\\n", "le", "+Inf"}, Value: 1.5}, {Suffix: "_sum", Value: 3},
				}}}
			}
		})
		if answer, body := h.ask("GET", "/healthz", nil); answer.StatusCode != 200 || body != "{\"status\":\"ok\"}\n" {
			t.Errorf("well: got %d %s", answer.StatusCode, body)
		}
		ill = errors.New("there is no broker")
		if answer, body := h.ask("GET", "/healthz", nil); answer.StatusCode != 503 || problem(body) != "there is no broker" {
			t.Errorf("ill: got %d %s", answer.StatusCode, body)
		}
		answer, body := h.ask("GET", "/metrics", nil)
		if got, want := answer.Header.Get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8"; got != want {
			t.Errorf("Content-Type: got %s, want %s", got, want)
		}
		want := "# HELP x_total Lines\\nand \\\\.\n# TYPE x_total counter\nx_total{device=\"a\\\"b\\\\\\n\",le=\"+Inf\"} 1.5\nx_total_sum 3\n"
		if !strings.HasPrefix(body, want) {
			t.Errorf("got %s, want it to begin with %s", body, want)
		}
		if !regexp.MustCompile(`(?m)^go_goroutines [1-9]\d*$`).MatchString(body) {
			t.Errorf("no goroutines are told:\n%s", body)
		}
	})
}

// The page itself must do with what its policy allows.
func TestPageHoldsItsOwnPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		answer, body := h.ask("GET", "/", nil)
		if answer.StatusCode != http.StatusOK || !strings.Contains(body, `<script type="module" src="page.js">`) {
			t.Fatalf("got %d:\n%.300s", answer.StatusCode, body)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := answer.Header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if m := regexp.MustCompile(`(?i)\s(on\w+|style)=|<script>|<style>|https?://[^r]`).FindString(body); m != "" {
			t.Errorf("the page has %q within it, which its policy forbids", m)
		}
		for _, name := range []string{"page.js", "card.js", "line.js", "page.css", "icon.svg"} {
			if answer, _ := h.ask("GET", "/"+name, nil); answer.StatusCode != http.StatusOK {
				t.Errorf("%s: got %d", name, answer.StatusCode)
			}
		}
		for _, path := range []string{"/../server.go", "/assets/", "/%2e%2e/door.go", "/doc.go"} {
			if answer, body := h.ask("GET", path, nil); answer.StatusCode == http.StatusOK && strings.Contains(body, "package web") {
				t.Errorf("%s: got a file of the program", path)
			}
		}
		if answer, _ := h.ask("PUT", "/upload", io.NopCloser(strings.NewReader("x"))); answer.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("PUT: got %d, want 405", answer.StatusCode)
		}
	})
}

func FuzzAsk(f *testing.F) {
	for _, seed := range []string{
		`{"topic":"airplay/kitchen/chime","payload":"doorbell"}`, `{"tail":"on"}`, `{"doctor":"kitchen"}`, `{}`, `{"topic":"a"}{}`, "\x00", `[[[[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		topic, payload, tail, doctor, err := web.ParseAsk(text)
		if err == nil && topic == "" && tail == "" && doctor == "" {
			t.Errorf("%q asks for nothing and is understood", text)
		}
		if err == nil && payload != "" && topic == "" {
			t.Errorf("%q has a payload for nobody", text)
		}
	})
}
