package web_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/web"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/chromium"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
)

// envShots names a folder that screenshots are written to.
const envShots = "PAGE_SCREENSHOTS"

const pin = "4711"

// A home is a bridge with a page, on loopback, with a speaker, one with a name
// that would like to be a program, and an Apple TV that wants to be paired.
type home struct {
	speaker, rude *raoptest.Receiver
	tv            *airplaytest.Receiver
	uploads       string
	url           string
	client        *mqtt.Client

	mu   sync.Mutex
	said map[string]string // by topic, the newest
}

func openHome(t *testing.T) *home {
	t.Helper()
	h := &home{said: map[string]string{}}
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	h.speaker, h.rude = h.receiver(t, "Kitchen", 1), h.receiver(t, "<img src=x onerror=alert(1)>", 2)
	if h.tv, err = airplaytest.New(airplaytest.AppleTV(pin)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.tv.Close() })
	dir := t.TempDir()
	s := config.Default()
	s.MQTT.Server = "mqtt://" + broker.Addr().String()
	s.Data, s.Media.Folders, s.Media.Chimes = filepath.Join(dir, "data"), []string{filepath.Join(dir, "media")}, filepath.Join(dir, "chimes")
	s.Web = config.Web{Listen: "127.0.0.1:0", Token: token}
	h.uploads = filepath.Join(s.Data, "uploads")
	h.start(t, s)
	return h
}

// receiver is a speaker; the model is what most people have.
func (h *home) receiver(t *testing.T, name string, n int) *raoptest.Receiver {
	t.Helper()
	r, err := raoptest.New(raoptest.Config{Name: name, ID: strings.Repeat("0", 11) + string(rune('0'+n)), Model: "AirPort10,115"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// start moves in, and hears what is said.
func (h *home) start(t *testing.T, s config.Config) {
	t.Helper()
	tail := web.NewTail(s.Secrets()...)
	port := make(chan string, 1)
	b, err := bridge.New(bridge.Config{
		Settings: s, Version: "0.1.0", Logger: zerolog.New(tail).Level(zerolog.InfoLevel).With().Timestamp().Logger(), Tail: tail,
		Browse:   h.browse,
		Announce: func(ctx context.Context, _ discovery.Instance) error { <-ctx.Done(); return nil },
		Listen: func(network, address string) (net.Listener, error) {
			l, err := net.Listen(network, "127.0.0.1:0")
			if err == nil && address == s.Web.Listen {
				port <- l.Addr().String()
			}
			return l, err
		},
		Doctor: func(context.Context, string, *ptp.Engine) (json.RawMessage, error) {
			return json.RawMessage(`{"well":false,"cause":"it is not plugged in","advice":"plug it in","checks":[{"name":"port","status":"failed","detail":"refused"}]}`), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if h.client, err = mqtt.New(mqtt.Config{Server: s.MQTT.Server}); err != nil {
		t.Fatal(err)
	}
	h.client.Handle("#", func(m mqtt.Message) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.said[m.Topic] = string(m.Payload)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	t.Cleanup(func() { cancel(); parts.Wait() })
	parts.Go(func() { _ = h.client.Run(ctx) })
	parts.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Errorf("bridge: %v", err)
		}
	})
	h.url = "http://" + <-port + "/"
}

// browse finds everybody at once.
func (h *home) browse(ctx context.Context, found func(discovery.Event)) error {
	here := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	for _, r := range []*raoptest.Receiver{h.speaker, h.rude} {
		id, name, _ := strings.Cut(r.Instance(), "@")
		found(discovery.Event{Device: discovery.Device{ID: id, Name: name, Model: "AirPort Express", Addrs: here,
			RAOP: &discovery.Service{Port: uint16(r.Port()), TXT: r.TXT()}}})
	}
	found(discovery.Event{Device: discovery.Device{ID: h.tv.ID(), Name: "Living Room", Model: "AppleTV11,1", Addrs: here,
		AirPlay: &discovery.Service{Port: uint16(h.tv.Port()), TXT: h.tv.TXT()}}})
	<-ctx.Done()
	return nil
}

// heard is what was said on a topic last.
func (h *home) heard(topic string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said[topic]
}

// until waits until a topic says something that holds a text.
func (h *home) until(t *testing.T, topic, text string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(h.heard(topic), text) {
			return
		}
	}
	t.Fatalf("%s: got %q, want it to hold %q", topic, h.heard(topic), text)
}

func TestPageInARealBrowser(t *testing.T) {
	h := openHome(t)
	page := chromium.Open(t).Page(t, behind(t, h.url))
	page.Window(t, 1280, 860, 1, "desktop")
	page.Scheme(t, "light")
	h.login(t, page)
	h.ring(t, page)
	h.turnTo70(t, page)
	h.pair(t, page)
	h.group(t, page)
	h.playUpload(t, page)
	h.look(t, page)
	page.Wait(t, `document.querySelector('`+kitchen+` .state').textContent === "Playing"`)
	h.shoot(t, page)
	page.Click(t, kitchen+` [data-do="stop"]`)
	h.until(t, "airplay/kitchen/state", `"state":"idle"`)
	for _, c := range page.Complaints() {
		t.Errorf("the browser complains: %s", c)
	}
}

// behind puts a proxy before a page, which serves it in a folder, as Home
// Assistant does.
func behind(t *testing.T, address string) (url string) {
	t.Helper()
	const folder = "/api/hassio_ingress/r4nd0m"
	to, err := neturl.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(http.StripPrefix(folder, proxy))
	t.Cleanup(server.Close)
	return server.URL + folder + "/"
}

const (
	kitchen = `[data-slug="kitchen"]`
	living  = `[data-slug="living_room"]`
)

// login says a wrong token, and then the right one.
func (h *home) login(t *testing.T, page *chromium.Page) {
	t.Helper()
	page.Wait(t, `!document.querySelector("#login").hidden`)
	page.Type(t, "#login input", "a wrong token, as it happens")
	page.Click(t, "#login button")
	page.Wait(t, `document.querySelector("#login .problem").textContent.includes("the token is wrong")`)
	if cards := page.Eval(t, `document.querySelectorAll("article").length`); cards != "0" {
		t.Errorf("%s devices are shown without the token", cards)
	}
	page.Eval(t, `document.querySelector("#login input").value = ""`)
	page.Type(t, "#login input", token)
	page.Complaints() // of the requests that were refused, which are in red
	page.Click(t, "#login button")
	page.Wait(t, `document.querySelectorAll("article").length === 3 && document.querySelector("#line").textContent === "connected"`)
	page.Wait(t, `document.querySelector('`+kitchen+` .state').textContent === "Idle"`)
	page.Complaints()
	if names := page.Eval(t, `[...document.querySelectorAll("h2")].map(e => e.textContent).join("|")`); !strings.Contains(names, "<img src=x onerror=alert(1)>") {
		t.Errorf("names: got %s, want that of the rude one as it is", names)
	}
	if page.Eval(t, `document.querySelector("h2 img") === null`) != "true" {
		t.Error("a name became part of the page")
	}
}

// ring clicks a chime, which is heard, and whose message is shown.
func (h *home) ring(t *testing.T, page *chromium.Page) {
	t.Helper()
	page.Wait(t, `document.querySelector('`+kitchen+` .bar .chimes select').value === "doorbell"`)
	page.Click(t, kitchen+` [data-do="ring"]`)
	h.until(t, "airplay/kitchen/chime", "doorbell")
	page.Wait(t, `document.querySelector("#message code").textContent === "airplay/kitchen/chime  doorbell"`)
	if got, want := page.Eval(t, `document.querySelector("#message").dataset.command`), "mosquitto_pub -t airplay/kitchen/chime -m doorbell"; got != want {
		t.Errorf("command: got %s, want %s", got, want)
	}
	h.until(t, "airplay/kitchen/event", "announcement_finished")
	page.Wait(t, `document.querySelector("#happened ol").textContent.includes("announcement_started")`)
	if len(h.speaker.Heard()) == 0 {
		t.Error("the speaker heard nothing")
	}
}

// turnTo70 moves the volume to 70.
func (h *home) turnTo70(t *testing.T, page *chromium.Page) {
	t.Helper()
	page.ClickAt(t, kitchen+` [data-do="volume"]`, 0.7)
	h.until(t, "airplay/kitchen/set_volume", "7") // 69 to 71: the knob has a width
	h.until(t, "airplay/kitchen/state/volume", h.heard("airplay/kitchen/set_volume"))
	page.Wait(t, `document.querySelector('`+kitchen+` output').textContent === "`+h.heard("airplay/kitchen/set_volume")+`"`)
}

// playUpload sends a file with a cover and watches its position go on.
func (h *home) playUpload(t *testing.T, page *chromium.Page) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evening.wav")
	if err := os.WriteFile(path, songWithCover(), 0o600); err != nil {
		t.Fatal(err)
	}
	page.Click(t, kitchen+" .play summary")
	page.Choose(t, kitchen+` input[type="file"]`, path)
	page.Click(t, kitchen+` [data-form="file"] button`)
	h.until(t, "airplay/kitchen/state", `"state":"playing"`)
	h.until(t, "airplay/kitchen/play_file", `"title":"evening","override":"missing"`)
	page.Wait(t, `document.querySelector('`+kitchen+` .title').textContent === "Evening Song"`)
	page.Wait(t, `document.querySelector('`+kitchen+` .artist').textContent === "The Kitchen Band — Home"`)
	page.Wait(t, `document.querySelector('`+kitchen+` .cover img').naturalWidth > 100`)
	page.Wait(t, `/^0:(0[2-9]|[1-9]\d)$/.test(document.querySelector('`+kitchen+` .now').textContent)`)
	if end := page.Text(t, kitchen+" .end"); end != "3:20" {
		t.Errorf("end: got %s, want 3:20", end)
	}
	if entries, err := os.ReadDir(h.uploads); len(entries) != 1 {
		t.Errorf("%d files lie in uploads (%v), want the one that is played", len(entries), err)
	}
	page.Click(t, kitchen+" .play summary")
	page.ClickAt(t, kitchen+` [data-do="seek"]`, 0.5)
	page.Wait(t, `document.querySelector('`+kitchen+` .now').textContent > "1:30"`)
}

// pair pairs with the Apple TV by the PIN on its screen.
func (h *home) pair(t *testing.T, page *chromium.Page) {
	t.Helper()
	page.Click(t, living+` [data-do="pair"]`)
	page.Wait(t, `!document.querySelector('`+living+` .pairing form').hidden`)
	page.Type(t, living+` [name="pin"]`, pin)
	page.Click(t, living+` .pairing form button:not([type])`)
	h.until(t, "airplay/living_room/state/pairing", "paired")
	page.Wait(t, `document.querySelector('`+living+` .pairing').hidden`)
}

// group makes a group of two, which gets a card.
func (h *home) group(t *testing.T, page *chromium.Page) {
	t.Helper()
	page.Click(t, "#groups summary")
	page.Type(t, "#groups [name=name]", "Downstairs")
	page.Click(t, `#groups [value="kitchen"]`)
	page.Click(t, `#groups [value="living_room"]`)
	page.Click(t, "#groups button")
	page.Wait(t, `document.querySelector('[data-slug="downstairs"] .kind')?.textContent === "Group: kitchen, living_room"`)
	if got := h.heard("airplay/bridge/request/group/set"); got != `{"name":"Downstairs","members":["kitchen","living_room"]}` {
		t.Errorf("request: got %s", got)
	}
	page.Click(t, `[data-slug="downstairs"] .more summary`)
	page.Click(t, `[data-slug="downstairs"] [data-do="dissolve"]`)
	page.Wait(t, `document.querySelector('[data-slug="downstairs"]') === null`)
	page.Click(t, "#groups summary")
}

// look opens the log and asks the doctor.
func (h *home) look(t *testing.T, page *chromium.Page) {
	t.Helper()
	page.Click(t, "#log summary")
	page.Wait(t, `document.querySelector("#log ol").textContent.includes("device found")`)
	page.Click(t, "#log summary")
	if strings.Contains(page.Eval(t, "document.documentElement.outerHTML"), token) {
		t.Error("the token stands in the page")
	}
	page.Click(t, living+" .more summary")
	page.Click(t, living+` [data-do="doctor"]`)
	page.Wait(t, `document.querySelector('`+living+` .diagnosis').textContent.includes("To do: plug it in")`)
	page.Click(t, living+" .more summary")
	page.Click(t, `[data-slug^="img"] .more summary`)
	page.Eval(t, `document.querySelector('[data-slug^="img"] [name="name"]').value = ""`)
	page.Type(t, `[data-slug^="img"] [name="name"]`, "Bath")
	page.Click(t, `[data-slug^="img"] [data-form="name"] button`)
	page.Wait(t, `[...document.querySelectorAll("h2")].some(e => e.textContent === "Bath")`)
	page.Click(t, "#bridge summary")
	page.Click(t, `#bridge [data-request="rescan"]`)
	page.Wait(t, `document.querySelector("#bridge .answer").textContent === "rescan: done"`)
	page.Click(t, "#bridge summary")
	if list := page.Nameless(t); len(list) > 0 {
		t.Errorf("without a name for those who do not see the page: %v", list)
	}
}

// shoot takes pictures in all its looks.
func (h *home) shoot(t *testing.T, page *chromium.Page) {
	t.Helper()
	for _, c := range []struct {
		name          string
		width, height int
		scale         float64
		kind, scheme  string
	}{
		{"desktop", 1280, 860, 1, "desktop", "light"},
		{"dark", 1280, 860, 1, "desktop", "dark"},
		{"phone", 390, 844, 2, "phone", "light"},
		{"phone-dark", 390, 844, 2, "phone", "dark"},
	} {
		page.Window(t, c.width, c.height, c.scale, c.kind)
		page.Scheme(t, c.scheme)
		page.Eval(t, "scrollTo(0, 0)")
		page.Eval(t, "document.activeElement.blur()")
		if pale := page.Eval(t, contrast); pale != "" {
			t.Errorf("%s: hard to read: %s", c.name, pale)
		}
		if got := page.Eval(t, "document.documentElement.scrollWidth <= innerWidth"); got != "true" {
			t.Errorf("%s: the page is wider than the window", c.name)
		}
		shot := page.Screenshot(t)
		picture, err := png.Decode(bytes.NewReader(shot))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := picture.Bounds().Dx(), int(float64(c.width)*c.scale); got != want {
			t.Errorf("%s: got %d pixels across, want %d", c.name, got, want)
		}
		r, g, b, _ := picture.At(2, picture.Bounds().Dy()/2).RGBA()
		if dark := r+g+b < 3*0x4000; dark != (c.scheme == "dark") {
			t.Errorf("%s: the ground is %x %x %x, which is not %s", c.name, r, g, b, c.scheme)
		}
		if dir := os.Getenv(envShots); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, c.name+".png"), shot, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// contrast lists texts that differ from their ground by less than people with
// weak eyes need (WCAG 2, 1.4.3: 4.5 to 1).
const contrast = `(() => {
	const rgb = (c) => c.match(/[\d.]+/g).map(Number);
	const light = (c) => { const [r, g, b] = rgb(c).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] !== 0) return c; } };
	const pale = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
		const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) pale.add(e.tagName + "." + e.className + " " + ratio.toFixed(1));
	}
	return [...pale].join(", ");
})()`

// songWithCover is a WAV of 200 s, hardly heard, that says what it is.
func songWithCover() []byte {
	frame := func(id, text string) string {
		return id + string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + "\x00\x00" + text
	}
	tag := frame("TIT2", "\x00Evening Song") + frame("TPE1", "\x00The Kitchen Band") + frame("TALB", "\x00Home") +
		frame("APIC", "\x00image/jpeg\x00\x03\x00"+string(cover()))
	n := len(tag)
	tag = "ID3\x03\x00\x00" + string([]byte{byte(n >> 21 & 0x7f), byte(n >> 14 & 0x7f), byte(n >> 7 & 0x7f), byte(n & 0x7f)}) + tag
	const rate = 8000
	pcm := make([]byte, 0, 2*200*rate)
	for i := range 200 * rate {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(i%40*4))
	}
	chunk := func(id, data string) string {
		if len(data)%2 == 1 {
			data += "\x00"
		}
		return id + string(binary.LittleEndian.AppendUint32(nil, uint32(len(data)))) + data
	}
	format := binary.LittleEndian.AppendUint16(nil, 1)
	format = binary.LittleEndian.AppendUint16(format, 1)
	format = binary.LittleEndian.AppendUint32(format, rate)
	format = binary.LittleEndian.AppendUint32(format, 2*rate)
	format = binary.LittleEndian.AppendUint16(format, 2)
	format = binary.LittleEndian.AppendUint16(format, 16)
	return []byte(chunk("RIFF", "WAVE"+chunk("fmt ", string(format))+chunk("id3 ", tag)+chunk("data", string(pcm))))
}

// cover is an evening: a sun over the sea.
func cover() []byte {
	const side = 300
	picture := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			c := color.RGBA{uint8(240 - y/3), uint8(120 - y/4), uint8(60 + y/3), 255}
			if dx, dy := x-side/2, y-180; y < 190 && dx*dx+dy*dy < 60*60 {
				c = color.RGBA{255, 214, 120, 255}
			} else if y >= 190 {
				c = color.RGBA{30, uint8(50 + y%9*2), uint8(110 - y/6), 255}
			}
			picture.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, picture, nil)
	return b.Bytes()
}
