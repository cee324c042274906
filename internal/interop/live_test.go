//go:build linux

package interop_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// samples is a sound as another program hands it over: raw, 16 bits.
func samples(s interop.Sound) []byte { return s.WAV()[44:] }

// fifo makes a fifo that another program writes the sound to.
func fifo(t *testing.T, path string, tune interop.Sound) {
	t.Helper()
	pipe(t, nil, "mkfifo", path)
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	go writer.Write(samples(tune))
}

// server hands the sound to whoever connects, and hangs up.
func server(t *testing.T, network, address string, tune interop.Sound) (at string) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write(samples(tune))
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestAnotherProgramIsHeard(t *testing.T) {
	tune := interop.Noise(77, 1500*time.Millisecond)
	h := newHome(t, map[string][]byte{"readme.txt": []byte("here are a fifo and a socket")})
	inFolder := filepath.Join(h.bridge.Media, "fifo")
	fifo(t, inFolder, tune)
	for name, address := range map[string]string{
		"fifo": "pcm:" + inFolder,
		"tcp":  "pcm+tcp://" + server(t, "tcp", "127.0.0.1:0", tune),
		"unix": "pcm+unix:" + server(t, "unix", filepath.Join(h.bridge.Media, "socket"), tune),
	} {
		t.Run(name, func(t *testing.T) {
			ear := h.kitchen.Listen()
			at := h.order(t, "play_url", address)
			ear.Hear(t, tune, interop.Exactly)
			got := h.client.Status(t, at, "kitchen", "playing")
			if got.Duration != nil {
				t.Errorf("duration: got %s, want null", value(got.Duration))
			}
			h.order(t, "stop", "") // the server may have hung up before
			h.client.Status(t, got.At, "kitchen", "idle")
		})
	}
	outside := filepath.Join(t.TempDir(), "fifo")
	fifo(t, outside, tune)
	for payload, want := range map[string]string{
		"pcm:" + outside: "forbidden_path", "pcm+tcp://169.254.169.254:80": "forbidden_url", "pcm+tcp://here": "bad_payload",
	} {
		at := h.tell(t, "play_url", payload)
		if got := h.client.Result(t, at, "kitchen", "play_url"); got.Code() != want {
			t.Errorf("%s: got %s (%v), want %s", payload, got.Code(), got.Error, want)
		}
	}
}

func TestPlayHearsAnotherProgram(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(79, 1500*time.Millisecond)
	path := filepath.Join(t.TempDir(), "fifo")
	fifo(t, path, tune)
	for name, address := range map[string]string{
		"fifo": "pcm:" + path, "tcp": "pcm+tcp://" + server(t, "tcp", "127.0.0.1:0", tune),
	} {
		t.Run(name, func(t *testing.T) {
			ear := house.Kitchen.Listen()
			p := house.Start(t, nil, "play", "-to", house.Kitchen.Address(), address)
			ear.Hear(t, tune, interop.Exactly)
			p.Stop(t)
		})
	}
}

// icy broadcasts a file at its own speed, as a radio does that says what it
// plays: each title for two seconds, the last one for ever.
func icy(t *testing.T, content []byte, titles ...string) (url string) {
	t.Helper()
	const block, second = 8000, 192_000 / 8
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		w.Header().Set("icy-metaint", strconv.Itoa(block))
		for sent := 0; r.Context().Err() == nil; sent += block {
			at := sent % (len(content) - block)
			w.Write(content[at : at+block])
			text := "StreamTitle='" + titles[min(sent/second/2, len(titles)-1)] + "';"
			length := (len(text) + 15) / 16
			w.Write(append([]byte{byte(length)}, text+strings.Repeat("\x00", 16*length-len(text))...))
			w.(http.Flusher).Flush()
			if sent > 2*second { // some is sent at once, as radios do
				time.Sleep(time.Second * block / second)
			}
		}
	}))
	t.Cleanup(func() { // it broadcasts for as long as somebody listens
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func TestRadioTellsItsTitles(t *testing.T) {
	file := pipe(t, interop.Sweep(4*time.Second).WAV(), "lame", "--silent", "-t", "-b", "192", "-", "-")
	h := newHome(t, nil)
	ear := h.kitchen.Listen()
	at := h.order(t, "play_url", icy(t, file, "Anna - First song", "Berta - Second song")+"/live.mp3")
	ear.HearBeginning(t, decode(t, file), interop.Nearly)
	for _, want := range []string{"First song", "Second song"} {
		m := h.client.Wait(t, at, "airplay/kitchen/state/media_title", 15*time.Second, func(p string) bool { return strings.Contains(p, want) })
		at = m.At
	}
	if got := h.client.Statuses(at, "kitchen"); slices.Contains(got, "buffering") {
		t.Errorf("states: got %q: the title was heard", got)
	}
	h.client.Status(t, h.order(t, "stop", ""), "kitchen", "idle")
}

func TestSlowSourceLosesNothing(t *testing.T) {
	tune := interop.Noise(90, 4*time.Second)
	file := tune.WAV()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(file)))
		w.Write(file[:len(file)/2])
		w.(http.Flusher).Flush()
		select {
		case <-time.After(4 * time.Second):
		case <-r.Context().Done():
		}
		w.Write(file[len(file)/2:])
	}))
	t.Cleanup(server.Close)
	h := newHome(t, nil)
	ear := h.kitchen.Listen()
	at := h.order(t, "play_url", server.URL+"/slow.wav")
	h.client.State(t, h.client.Status(t, at, "kitchen", "playing").At, "kitchen", 15*time.Second, func(s interop.State) bool { return s.State == "idle" })
	h.kitchen.Silent(t, ear, 200*time.Millisecond)
	runs := ear.Runs(tune)
	if len(runs) != 2 || runs[0].Sound != 0 || runs[1].Sound != runs[0].Frames || runs[1].Sound+runs[1].Frames != len(tune) {
		t.Errorf("want all frames once, with silence between, but heard %s", interop.Describe(runs, tune))
	}
	if got, want := h.client.Statuses(at, "kitchen"), []string{"buffering", "playing", "buffering", "playing", "idle"}; !slices.Equal(got, want) {
		t.Errorf("states: got %q, want %q", got, want)
	}
}

func TestDownloadThatIsCutOffGoesOn(t *testing.T) {
	tune := interop.Noise(91, 4*time.Second)
	file := tune.WAV()
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Range")
		w.Header().Set("Etag", `"one"`)
		if r.Header.Get("Range") == "" {
			w.Header().Set("Accept-Ranges", "bytes")
			w.Header().Set("Content-Length", strconv.Itoa(len(file)))
			w.Write(file[:len(file)/2])
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "tune.wav", time.Time{}, strings.NewReader(string(file)))
	}))
	t.Cleanup(server.Close)
	h := newHome(t, nil)
	ear := h.kitchen.Listen()
	at := h.order(t, "play_url", server.URL+"/tune.wav")
	ear.Hear(t, tune, interop.Exactly)
	h.client.Status(t, at, "kitchen", "idle")
	if got, want := h.client.Statuses(at, "kitchen"), []string{"buffering", "playing", "idle"}; !slices.Equal(got, want) {
		t.Errorf("states: got %q, want %q", got, want)
	}
	if <-asked; len(asked) == 0 {
		t.Error("the server was asked once only")
	}
}
