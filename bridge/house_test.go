package bridge_test

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio/wav"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/media"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
)

// A house is the whole of it in a bubble of virtual time: a broker, a network,
// receivers, the bridge, and somebody who listens to all topics.
type house struct {
	t      *testing.T
	lan    *memnet.Net
	broker atomic.Pointer[mqtt.Broker]
	ear    *ear
	media  string
	found  chan discovery.Event
	asleep atomic.Int64 // how long the machine was, in nanoseconds
	call   chan string  // where speakers call when their buttons are pressed
	denied error        // why the bridge does not get the ports of PTP; nil: it does
	stop   func() error
	log    zerolog.Logger
	bridge *bridge.Bridge // the newest
	doctor func(ctx context.Context, device string, clock *ptp.Engine) (json.RawMessage, error)
}

// An ear hears every message.
type ear struct {
	client *mqtt.Client
	mu     sync.Mutex
	all    []mqtt.Message
	latest map[string]string
}

// settings are those of a house with one configured speaker.
func settings(t *testing.T) config.Config {
	s := config.Default()
	dir := t.TempDir()
	s.Data, s.Media.Folders = filepath.Join(dir, "data"), []string{filepath.Join(dir, "media")}
	s.Devices = []config.Device{{Name: "Kitchen", Host: "10.0.0.20", Port: 5000, Protocol: "auto"}}
	s.Media.Chimes = filepath.Join(dir, "chimes")
	s.MQTT.Server = "mqtt://in-process"
	return s
}

// build makes a house with the receivers on 10.0.0.20 and up, and moves in.
func build(t *testing.T, s config.Config, receivers ...raoptest.Config) (*house, []*raoptest.Receiver) {
	t.Helper()
	return buildLogging(t, s, zerolog.Nop(), receivers...)
}

// buildLogging is build with a bridge that writes a log.
func buildLogging(t *testing.T, s config.Config, log zerolog.Logger, receivers ...raoptest.Config) (*house, []*raoptest.Receiver) {
	t.Helper()
	h := &house{t: t, log: log, lan: memnet.New(), media: s.Media.Folders[0], found: make(chan discovery.Event, 16), call: make(chan string, 1)}
	h.startBroker()
	t.Cleanup(func() { h.broker.Load().Close() })
	var list []*raoptest.Receiver
	for i, c := range receivers {
		c.Network, c.Address = h.lan.Host([]string{"10.0.0.20", "10.0.0.21", "10.0.0.22"}[i]), ":5000"
		r, err := raoptest.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		list = append(list, r)
	}
	if err := os.MkdirAll(h.media, 0o755); err != nil {
		t.Fatal(err)
	}
	h.ear = h.listen()
	h.moveIn(s)
	return h, list
}

// moveIn starts the bridge.
func (h *house) moveIn(s config.Config) {
	h.t.Helper()
	us := h.lan.Host("10.0.0.2")
	b, err := bridge.New(bridge.Config{
		Settings:     s,
		Version:      "test",
		Logger:       h.log,
		Doctor:       h.doctor,
		Browse:       h.browse,
		DialBroker:   func(context.Context) (net.Conn, error) { return h.broker.Load().Pipe(), nil },
		DialContext:  us.DialContext,
		DialMedia:    h.dialMedia(s),
		ListenPacket: h.ports(us),
		Listen:       us.Listen,
		Slept:        func() time.Duration { return time.Duration(h.asleep.Load()) },
		Announce: func(ctx context.Context, i discovery.Instance) error {
			select {
			case <-h.call:
			default:
			}
			h.call <- net.JoinHostPort(us.Addr().String(), strconv.Itoa(int(i.Port)))
			<-ctx.Done()
			return ctx.Err()
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.bridge = b
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	var once sync.Once
	var result error
	h.stop = func() error {
		once.Do(func() { cancel(); result = <-ended })
		return result
	}
	h.t.Cleanup(func() { _ = h.stop() })
	h.until("airplay/bridge/state", "online")
}

// dialMedia connects to what is in the house, and to nothing else.
func (h *house) dialMedia(s config.Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	guard, err := media.NewGuard(s.Media.Allow, s.Media.Deny)
	if err != nil {
		h.t.Fatal(err)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "10.0.0.") {
			return h.lan.Host("10.0.0.2").DialContext(ctx, network, address)
		}
		return guard.DialContext(ctx, network, address)
	}
}

// ports is how the bridge gets UDP ports, those below 1024 only as it may.
func (h *house) ports(us *memnet.Host) func(network, address string) (net.PacketConn, error) {
	return func(network, address string) (net.PacketConn, error) {
		if _, port, err := net.SplitHostPort(address); err == nil && (port == "319" || port == "320") && h.denied != nil {
			return nil, &net.OpError{Op: "listen", Net: network, Err: os.NewSyscallError("bind", h.denied)}
		}
		return us.ListenPacket(network, address)
	}
}

// startBroker starts a broker that remembers nothing.
func (h *house) startBroker() {
	h.t.Helper()
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.broker.Store(broker)
}

func (h *house) browse(ctx context.Context, found func(discovery.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-h.found:
			found(e)
		}
	}
}

func (h *house) listen() *ear {
	e := &ear{latest: map[string]string{}}
	client, err := mqtt.New(mqtt.Config{Dial: func(context.Context) (net.Conn, error) { return h.broker.Load().Pipe(), nil }})
	if err != nil {
		h.t.Fatal(err)
	}
	e.client = client
	client.Handle("#", func(m mqtt.Message) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all = append(e.all, m)
		e.latest[m.Topic] = string(m.Payload)
	})
	ctx, cancel := context.WithCancel(h.t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = client.Run(ctx) })
	h.t.Cleanup(func() { cancel(); ended.Wait() })
	return e
}

// say publishes a command.
func (h *house) say(topic, payload string) {
	h.t.Helper()
	if err := h.ear.client.Publish(h.t.Context(), mqtt.Message{Topic: "airplay/" + topic, Payload: []byte(payload)}); err != nil {
		h.t.Fatal(err)
	}
}

// latest is what was said last on a topic.
func (h *house) latest(topic string) string {
	h.ear.mu.Lock()
	defer h.ear.mu.Unlock()
	return h.ear.latest[topic]
}

// every lists all that was said on a topic.
func (h *house) every(topic string) []string {
	h.ear.mu.Lock()
	defer h.ear.mu.Unlock()
	var list []string
	for _, m := range h.ear.all {
		if m.Topic == topic {
			list = append(list, string(m.Payload))
		}
	}
	return list
}

// until waits until a topic says something that holds a text.
func (h *house) until(topic, text string) string {
	h.t.Helper()
	for range 6000 {
		synctest.Wait()
		if said := h.latest(topic); said != "" && strings.Contains(said, text) {
			return said
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	h.t.Fatalf("%s: got %q, and within a minute nothing with %q", topic, h.latest(topic), text)
	return ""
}

// result waits for the next final answer of a device and returns its code, ""
// for ok.
func (h *house) result(device, transaction string) (code string) {
	h.t.Helper()
	for range 6000 {
		synctest.Wait()
		for _, said := range h.every("airplay/" + device + "/result") {
			var r struct {
				Status, Transaction string
				Error               struct{ Code, Message string }
			}
			if json.Unmarshal([]byte(said), &r) == nil && r.Transaction == transaction && r.Status != "accepted" {
				if r.Error.Code != "" && r.Error.Message == "" {
					h.t.Errorf("%s: an error without a message: %s", transaction, said)
				}
				return r.Error.Code
			}
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	h.t.Fatalf("%s: no answer to %s within a minute", device, transaction)
	return ""
}

// tone writes a WAV file of noise that no codec would make up, and returns its
// samples.
func (h *house) tone(name string, seconds float64) []int16 {
	h.t.Helper()
	f, err := os.Create(filepath.Join(h.media, name))
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	w, err := wav.NewWriter(f, 44100)
	if err != nil {
		h.t.Fatal(err)
	}
	pcm := make([]int16, 2*int(seconds*44100))
	seed := uint32(1)
	for i := range pcm {
		seed = seed*1664525 + 1013904223
		pcm[i] = int16(seed>>18) | 1 // never silent
	}
	if err := w.Write(pcm); err != nil {
		h.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	return pcm
}

// sounds flattens what a receiver heard, without the silence around it.
func sounds(r *raoptest.Receiver) []int16 {
	var pcm []int16
	for _, f := range r.Heard() {
		pcm = append(pcm, f[0], f[1])
	}
	quiet := func(s int16) bool { return s == 0 }
	first := slices.IndexFunc(pcm, func(s int16) bool { return !quiet(s) })
	if first < 0 {
		return nil
	}
	last := len(pcm)
	for quiet(pcm[last-1]) {
		last--
	}
	return pcm[first:last]
}

func states(said []string) []string {
	var list []string
	for _, s := range said {
		var doc struct{ State string }
		if json.Unmarshal([]byte(s), &doc) == nil && (len(list) == 0 || list[len(list)-1] != doc.State) {
			list = append(list, doc.State)
		}
	}
	return list
}

func TestMessageBecomesSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen", Mutes: 9})
		want := h.tone("tone.wav", 1)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t1","volume":40}`)
		if code := h.result("kitchen", "t1"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		h.until("airplay/kitchen/event", `"playback_finished"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
		}
		if got, want := states(h.every("airplay/kitchen/state")), []string{"idle", "buffering", "playing", "idle"}; !slices.Equal(got, want) {
			t.Errorf("states: got %v, want %v", got, want)
		}
		if got, want := h.latest("airplay/kitchen/state/volume"), "40"; got != want {
			t.Errorf("volume: got %s, want %s", got, want)
		}
		if got := rx[0].Volume(); got < -18.001 || got > -17.999 {
			t.Errorf("volume on the wire: got %v dB, want -18", got)
		}
	})
}

func TestBadCommandsAreAnsweredAndDisturbNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		want := h.tone("tone.wav", 3)
		if err := os.WriteFile(filepath.Join(h.media, "text.mp3"), []byte("this is no sound, but a text"), 0o644); err != nil {
			t.Fatal(err)
		}
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"music"}`)
		h.result("kitchen", "music")
		for i, c := range []struct{ topic, payload, want string }{
			{"kitchen/set_volume", `{"volume":101,"transaction":"%"}`, "bad_payload"},
			{"kitchen/mute", `{"mute":"perhaps","transaction":"%"}`, "bad_payload"},
			{"kitchen/play_url", `{"url":"","transaction":"%"}`, "bad_payload"},
			{"kitchen/play_url", `{"url":"http://x","max_age":1,"ts":1,"transaction":"%"}`, "expired"},
			{"nowhere/stop", `{"transaction":"%"}`, "unknown_device"},
		} {
			transaction := "bad" + string(rune('a'+i))
			h.say(c.topic, strings.ReplaceAll(c.payload, "%", transaction))
			device, _, _ := strings.Cut(c.topic, "/")
			if got := h.result(device, transaction); got != c.want {
				t.Errorf("%s %s: got %q, want %q", c.topic, c.payload, got, c.want)
			}
		}
		h.until("airplay/kitchen/state", `"state":"idle"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
		}
		for i, c := range []struct{ path, want string }{
			{"../../etc/passwd", "forbidden_path"},
			{"/etc/passwd", "forbidden_path"},
			{"none.wav", "file_not_found"},
			{"text.mp3", "unsupported_format"},
			{"-", "file_not_found"},
			{"http://127.0.0.1/x.mp3", "unsupported_format"},
			{"pcm:/etc/passwd", "file_not_found"},
		} {
			transaction := "file" + string(rune('a'+i))
			h.say("kitchen/play_file", `{"path":"`+c.path+`","transaction":"`+transaction+`"}`)
			if got := h.result("kitchen", transaction); got != c.want {
				t.Errorf("%s: got %q, want %q", c.path, got, c.want)
			}
			h.until("airplay/kitchen/state", `"state":"idle"`)
			h.until("airplay/kitchen/state", `"code":"`+c.want+`"`)
		}
	})
}

func TestLiveInputsStayInsideTheBorders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		for i, c := range []struct{ url, want string }{
			{"pcm+tcp://127.0.0.1:1", "forbidden_url"},
			{"pcm+unix:/run/none.sock", "file_not_found"},
			{"pcm:/etc/passwd", "forbidden_path"},
			{"pcm:" + filepath.Join(h.media, "none"), "file_not_found"},
			{"pcm+tcp://nowhere", "bad_payload"},
			{"pcm+tcp://10.0.0.9:1?rate=0", "bad_payload"},
			{"file:///etc/passwd", "bad_payload"},
		} {
			transaction := "live" + string(rune('a'+i))
			h.say("kitchen/play_url", `{"url":"`+c.url+`","transaction":"`+transaction+`"}`)
			if got := h.result("kitchen", transaction); got != c.want {
				t.Errorf("%s: got %q, want %q", c.url, got, c.want)
			}
		}
	})
}

func TestChimeInMemoryOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Announcements.Loudness = 0
		chime := filepath.Join(s.Media.Chimes, "ding.wav")
		if err := os.MkdirAll(s.Media.Chimes, 0o755); err != nil {
			t.Fatal(err)
		}
		h := &house{t: t, media: s.Media.Chimes}
		want := h.tone("ding.wav", 0.5)
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		time.Sleep(time.Second) // virtual: the folder is read
		// What lies there now looks the same from outside and is no sound.
		info, err := os.Stat(chime)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(chime, make([]byte, info.Size()), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(chime, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		h.say("kitchen/play_file", `{"path":"ding.wav","transaction":"t"}`)
		if code := h.result("kitchen", "t"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		h.until("airplay/kitchen/event", `"playback_finished"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d of the chime", len(got), len(want))
		}
	})
}

func TestReceiversThatRefuseAreExplained(t *testing.T) {
	for name, c := range map[string]struct {
		receiver raoptest.Config
		want     string
	}{
		"password": {raoptest.Config{Password: "geheim"}, "password_required"},
		"busy":     {raoptest.Config{Busy: true}, "busy"},
		"reset":    {raoptest.Config{ResetsOnAccept: true}, "busy"},
		"hangs":    {raoptest.Config{Delays: map[string]time.Duration{"ANNOUNCE": -1}}, "timeout"},
		"crashes":  {raoptest.Config{Breaks: map[string]raoptest.Break{"SETUP": raoptest.HalfHangsUp}}, "busy"},
		"garbage":  {raoptest.Config{Breaks: map[string]raoptest.Break{"ANNOUNCE": raoptest.Garbage}}, "unsupported_format"},
		"refuses":  {raoptest.Config{Answers: map[string]int{"SETUP": 500}}, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := build(t, settings(t), c.receiver)
				h.tone("tone.wav", 1)
				h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
				if got := h.result("kitchen", "t"); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				h.until("airplay/kitchen/state", `"state":"idle"`)
				h.until("airplay/kitchen/event", `"playback_failed"`)
			})
		})
	}
}

func TestDeviceThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t))
		h.until("airplay/kitchen/availability", "offline")
		h.tone("tone.wav", 1)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if got, want := h.result("kitchen", "t"), "device_offline"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		r, err := raoptest.New(raoptest.Config{Network: h.lan.Host("10.0.0.20"), Address: ":5000"})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		h.until("airplay/kitchen/availability", "online")
	})
}

// The speaker is dialled while the file is looked for. When there is none, the
// dial is called off, and that says nothing of the speaker.
func TestFileThatIsNotThereSaysNothingOfTheSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		h.until("airplay/kitchen/availability", "online")
		h.lan.Host("10.0.0.20").Unplug() // the dial has to wait
		h.say("kitchen/play_file", `{"path":"none.wav","transaction":"t"}`)
		if got, want := h.result("kitchen", "t"), "file_not_found"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(time.Second) // virtual
		if got, want := h.latest("airplay/kitchen/availability"), "online"; got != want {
			t.Errorf("availability: got %q, want %q", got, want)
		}
	})
}

func TestRetainedCommandIsRefusedAndCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.tone("tone.wav", 1)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		for topic, payload := range map[string]string{"kitchen/play_file": `{"path":"tone.wav","transaction":"old"}`, "kitchen/stop": "now"} {
			if err := h.ear.client.Publish(ctx, mqtt.Message{Topic: "airplay/" + topic, Payload: []byte(payload), Retain: true, QoS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		h.moveIn(s)
		h.until("airplay/kitchen/result", "retained_command")
		time.Sleep(10 * time.Second) // virtual
		synctest.Wait()
		if got := len(sounds(rx[0])); got != 0 {
			t.Errorf("heard %d samples, want silence", got)
		}
		for _, topic := range []string{"airplay/kitchen/play_file", "airplay/kitchen/stop"} {
			if got := h.latest(topic); got != "" {
				t.Errorf("%s still holds %q", topic, got)
			}
		}
		if got, want := len(h.every("airplay/kitchen/result")), 2; got != want {
			t.Errorf("got %d results, want %d: %v", got, want, h.every("airplay/kitchen/result"))
		}
	})
}

func TestSoundsThatWaitFollowWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		want := h.tone("a.wav", 1.2345)
		want = append(want, h.tone("b.wav", 0.5)...)
		data, err := os.ReadFile(filepath.Join(h.media, "b.wav"))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, h.tone("b.wav", 0.5)...)
		h.say("kitchen/play_file", `{"path":"a.wav","transaction":"a"}`)
		h.say("kitchen/play_file", `{"path":"b.wav","enqueue":"add","transaction":"b"}`)
		h.until("airplay/kitchen/queue", `"b.wav"`)
		h.until("airplay/kitchen/state", `"queue_length":1`)
		if err := os.WriteFile(filepath.Join(h.media, "list.m3u"), []byte("b.wav\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		h.say("kitchen/play_file", `{"path":"list.m3u","enqueue":"add","transaction":"c"}`)
		for _, transaction := range []string{"a", "b", "c"} {
			if code := h.result("kitchen", transaction); code != "" {
				t.Errorf("%s: got %s, want ok", transaction, code)
			}
		}
		h.until("airplay/kitchen/state", `"state":"idle"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d of three files", len(got), len(want))
		}
		if got := len(rx[0].Log().Spans); got != 1 {
			t.Errorf("heard %d pieces, want one without a gap", got)
		}
		if err := h.ear.client.Publish(t.Context(), mqtt.Message{Topic: "airplay/kitchen/play_data", Payload: data}); err != nil {
			t.Fatal(err)
		}
		h.until("airplay/kitchen/state", `"state":"playing"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
	})
}

func TestProbeAnswersWhatASoundIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		h.tone("tone.wav", 1)
		h.say("kitchen/probe", `{"location":"tone.wav","transaction":"t"}`)
		if code := h.result("kitchen", "t"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		said := h.latest("airplay/kitchen/result")
		for _, want := range []string{`"codec":"pcm`, `"sample_rate":44100`, `"duration":1,`, `"streamable":true`} {
			if !strings.Contains(said, want) {
				t.Errorf("%s is not in %s", want, said)
			}
		}
		h.say("kitchen/probe", `{"location":"../secret","transaction":"u"}`)
		if got, want := h.result("kitchen", "u"), "forbidden_path"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestGoingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		h.until("airplay/kitchen/availability", "online")
		h.tone("tone.wav", 5)
		h.say("kitchen/play_file", "tone.wav")
		h.until("airplay/kitchen/state", `"state":"playing"`)
		began := time.Now()
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v to end, want at most 3s", took)
		}
		synctest.Wait()
		for topic, want := range map[string]string{
			"airplay/bridge/state": "offline", "airplay/kitchen/availability": "offline", "airplay/kitchen/state/state": "idle",
		} {
			if got := h.latest(topic); got != want {
				t.Errorf("%s: got %s, want %s", topic, got, want)
			}
		}
		if got := rx[0].Log().Teardowns; got != 1 {
			t.Errorf("got %d TEARDOWNs, want 1", got)
		}
	})
}

// announced is a device as discovery reports it, on 10.0.0.20 and up.
func announced(r *raoptest.Receiver, id, name, address string) discovery.Device {
	return discovery.Device{
		ID: id, Name: name, Addrs: []netip.Addr{netip.MustParseAddr(address)},
		RAOP: &discovery.Service{Port: 5000, TXT: r.TXT()},
	}
}

func TestDeviceThatIsDiscoveredComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices = []config.Device{{ID: "00:11:32:4A:5B:6C", MaxVolume: 50}}
		h, rx := build(t, s, raoptest.Config{Name: "Hall"})
		hall := announced(rx[0], "0011324A5B6C", "Hall", "10.0.0.20")
		h.found <- discovery.Event{Device: hall}
		h.until("airplay/hall/availability", "online")
		h.until("homeassistant/device/airplay_0011324A5B6C/config", `"Hall"`)
		want := h.tone("tone.wav", 1)
		h.say("0011324a5b6c/play_file", `{"path":"tone.wav","volume":100,"transaction":"t"}`) // by its id
		if code := h.result("hall", "t"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		h.found <- discovery.Event{Device: hall, Gone: true} // a session outlives that
		h.until("airplay/hall/availability", "offline")
		h.until("airplay/hall/state", `"state":"idle"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
		}
		if got := rx[0].Volume(); got < -15.001 || got > -14.999 {
			t.Errorf("volume on the wire: got %v dB, want -15, which is the most that is allowed", got)
		}
		hall.Leader = "AABBCCDDEEFF"
		h.found <- discovery.Event{Device: hall, Gone: true}
		h.until("airplay/bridge/event", "device_removed")
		synctest.Wait()
		for _, topic := range []string{"airplay/hall/state", "airplay/hall/availability", "airplay/hall/state/volume", "homeassistant/device/airplay_0011324A5B6C/config"} {
			if got := h.latest(topic); got != "" {
				t.Errorf("%s still says %s", topic, got)
			}
		}
	})
}

func TestWhatIsRememberedIsThereAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, rx := build(t, s, raoptest.Config{Name: "Hall"})
		h.found <- discovery.Event{Device: announced(rx[0], "0011324A5B6C", "Hall", "10.0.0.20")}
		h.until("airplay/hall/availability", "online")
		h.say("hall/set_volume", "35")
		h.until("airplay/hall/state/volume", "35")
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.until("airplay/bridge/state", "offline")
		h.moveIn(s)
		h.until("airplay/hall/state/volume", "35")
		h.until("airplay/hall/availability", "offline") // until it is found again
		want := h.tone("tone.wav", 1)
		h.say("hall/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if code := h.result("hall", "t"); code != "" {
			t.Fatalf("got %s, want ok: it is played to where it was", code)
		}
		h.until("airplay/hall/state", `"state":"idle"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
		}
	})
}

func TestAllDevicesAreOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices = append(s.Devices,
			config.Device{Name: "Hall", Host: "10.0.0.21", Port: 5000, Protocol: "auto"},
			config.Device{Name: "Shed", Host: "10.0.0.22", Port: 5000, Protocol: "auto"})
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall", Busy: true})
		h.until("airplay/kitchen/availability", "online")
		h.until("airplay/hall/availability", "online")
		want := h.tone("tone.wav", 1)
		h.say("all/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if got := h.result("all", "t"); got != "busy" {
			t.Errorf("got %q, want busy, since one is", got)
		}
		said := h.latest("airplay/all/result")
		for _, want := range []string{`"kitchen":{"command":"play_file","status":"ok"`, `"hall":{"command":"play_file","status":"error"`} {
			if !strings.Contains(said, want) {
				t.Errorf("%s is not in %s", want, said)
			}
		}
		if strings.Contains(said, "shed") {
			t.Errorf("the one that is not there was asked: %s", said)
		}
		h.until("airplay/kitchen/state", `"state":"idle"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
		}
	})
}
