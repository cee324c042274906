package mediaserver_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay/mediaserver"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// mp4 begins as a film does, and is long enough for parts.
var mp4 = "\x00\x00\x00\x14ftypmp42\x00\x00\x00\x00mp42" + strings.Repeat("0123456789", 1000)

// open makes a file of a text and opens it.
func open(t *testing.T, text string) (f *os.File, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "Grandmother's birthday.mp4")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f, path
}

// serve serves a text as a file, to loopback.
func serve(t *testing.T, text string) (s *mediaserver.Server, path string) {
	t.Helper()
	f, path := open(t, text)
	film, err := mediaserver.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, film, loopback), path
}

func start(t *testing.T, c mediaserver.Content, receivers ...netip.Addr) *mediaserver.Server {
	t.Helper()
	s, err := mediaserver.Serve(c, mediaserver.Config{Receivers: receivers, Local: loopback})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// ask asks once. Headers are pairs of name and value.
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b)
}

// A player asks for two bytes, for all from the beginning, and for the tail.
func TestAPlayerGetsTheParts(t *testing.T) {
	s, _ := serve(t, mp4)
	select {
	case <-s.Fetched():
		t.Fatal("fetched before anybody asked")
	default:
	}
	for _, c := range []struct{ part, want, contentRange string }{
		{"bytes=0-1", mp4[:2], "bytes 0-1/10020"},
		{"bytes=0-", mp4, "bytes 0-10019/10020"},
		{"bytes=-20", mp4[10000:], "bytes 10000-10019/10020"},
		{"bytes=5000-5009", mp4[5000:5010], "bytes 5000-5009/10020"},
	} {
		resp, body := ask(t, "GET", s.URL(), "Range", c.part)
		if resp.StatusCode != 206 || body != c.want || resp.Header.Get("Content-Range") != c.contentRange || int(resp.ContentLength) != len(c.want) {
			t.Errorf("%s: got %s, %s, %d bytes", c.part, resp.Status, resp.Header.Get("Content-Range"), len(body))
		}
		if got := resp.Header.Get("Accept-Ranges") + " " + resp.Header.Get("Content-Type"); got != "bytes video/mp4" {
			t.Errorf("%s: got %s", c.part, got)
		}
	}
	<-s.Fetched()
	if resp, _ := ask(t, "GET", s.URL(), "Range", "bytes=20000-"); resp.StatusCode != 416 {
		t.Errorf("behind the end: got %s, want 416", resp.Status)
	}
	if resp, body := ask(t, "HEAD", s.URL()); resp.StatusCode != 200 || body != "" || resp.ContentLength != 10020 {
		t.Errorf("HEAD: got %s, %d bytes of %d", resp.Status, len(body), resp.ContentLength)
	}
	if resp, _ := ask(t, "POST", s.URL()); resp.StatusCode != 405 {
		t.Errorf("POST: got %s, want 405", resp.Status)
	}
	if err := s.Err(); err != nil {
		t.Errorf("got %v, want no trouble", err)
	}
}

func TestTheURLTellsNothingOfTheFile(t *testing.T) {
	s, _ := serve(t, mp4)
	other, _ := serve(t, mp4)
	path := s.URL()[strings.LastIndex(s.URL(), ":"):]
	if strings.Contains(s.URL(), "Grand") || !strings.HasSuffix(path, "/film.mp4") || len(path) < 40 || s.URL() == other.URL() {
		t.Errorf("got %s", s.URL())
	}
}

func TestOnlyItsPathIsThere(t *testing.T) {
	s, _ := serve(t, mp4)
	base, name, _ := strings.Cut(s.URL()[len("http://"):], "/")
	token, _, _ := strings.Cut(name, "/")
	zeros := strings.Repeat("0", 32)
	for _, path := range []string{
		"/", "/film.mp4", "/" + token, "/" + token + "/", "/" + token + "/other.mp4", "/" + zeros + "/film.mp4",
		"/" + token + "/../" + token + "/film.mp4", "/" + token + "/..%2f..%2fetc%2fpasswd", "/" + token + "/../../../../etc/passwd",
		"/" + token + "//film.mp4", "/" + token + "/film.mp4/", "/" + token + "/%66ilm.mp4", "/favicon.ico", "//" + token + "/film.mp4/x",
	} {
		// As it is: clients of net/http tidy paths up.
		conn, err := net.Dial("tcp", base)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		b, _ := io.ReadAll(conn)
		conn.Close()
		if !strings.HasPrefix(string(b), "HTTP/1.1 404 ") {
			t.Errorf("%s: got %.30q, want 404", path, b)
		}
	}
	select {
	case <-s.Fetched():
		t.Error("that counts as fetched")
	default:
	}
}

func TestAReceiverThatGoesAstrayIsSeen(t *testing.T) {
	s, _ := serve(t, mp4)
	if got := s.Astray(); got != "" {
		t.Errorf("nobody has asked: got %q", got)
	}
	base, _, _ := strings.Cut(strings.TrimPrefix(s.URL(), "http://"), "/")
	ask(t, "GET", "http://"+base+"/favicon.ico")
	ask(t, "GET", "http://"+base+"/"+strings.Repeat("x", 1000))
	if got := s.Astray(); got != "/favicon.ico" {
		t.Errorf("got %q, want what was asked for first", got)
	}
	select {
	case <-s.Fetched():
		t.Error("that counts as fetching the film")
	default:
	}
}

func TestOthersAreRefused(t *testing.T) {
	f, _ := open(t, mp4)
	film, err := mediaserver.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, film, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("127.0.0.9"))
	for _, url := range []string{s.URL(), s.URL() + "x"} {
		if resp, body := ask(t, "GET", url); resp.StatusCode != 403 || strings.Contains(body, "0123") {
			t.Errorf("got %s, want 403", resp.Status)
		}
	}
	if s.Stranger() != "127.0.0.1" {
		t.Errorf("got %q as the stranger, want 127.0.0.1", s.Stranger())
	}
	select {
	case <-s.Fetched():
		t.Error("a stranger counts as the receiver")
	default:
	}
	// The other address of the receiver.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)},
	}).DialContext}}
	resp, err := client.Get(s.URL())
	if err != nil {
		t.Skip("this system has no other loopback address: ", err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("from its second address: got %s, want 200", resp.Status)
	}
}

func TestAfterTheEndNobodyListens(t *testing.T) {
	s, _ := serve(t, mp4)
	address, _, _ := strings.Cut(s.URL()[len("http://"):], "/")
	conn, err := net.Dial("tcp", address) // a player that keeps its connection
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	if late, err := net.Dial("tcp", address); err == nil {
		late.Close()
		t.Error("the port is still open")
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still there (%v)", err)
	}
}

// A player that pauses stops reading: its connection stays, and so does the
// server, which ends all the same when it is told to.
func TestAPausedPlayerIsWaitedFor(t *testing.T) {
	s, _ := serve(t, mp4+strings.Repeat("x", 32<<20))
	resp, err := http.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Close()
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("Close waits for a player that does not read")
	}
}

func TestAFileThatChanges(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(path string) error
		status  int
		changed bool
	}{
		"is removed": {os.Remove, 200, false},
		"grows": {func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("more")
			return err
		}, 200, false},
		"shrinks":         {func(path string) error { return os.Truncate(path, 5000) }, 410, true},
		"becomes another": {func(path string) error { return os.WriteFile(path, []byte(strings.ToUpper(mp4)), 0o600) }, 410, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, path := serve(t, mp4)
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			film, err := mediaserver.OpenFile(f) // since the time it has now
			if err != nil {
				t.Fatal(err)
			}
			s = start(t, film, loopback)
			if resp, _ := ask(t, "GET", s.URL(), "Range", "bytes=0-1"); resp.StatusCode != 206 {
				t.Fatalf("before: got %s", resp.Status)
			}
			if err := c.change(path); err != nil {
				t.Fatal(err)
			}
			resp, body := ask(t, "GET", s.URL())
			if resp.StatusCode != c.status || c.status == 200 && body != mp4 {
				t.Errorf("got %s with %d bytes, want %d", resp.Status, len(body), c.status)
			}
			if got := errors.Is(s.Err(), mediaserver.ErrChanged); got != c.changed {
				t.Errorf("got %v, want ErrChanged %v", s.Err(), c.changed)
			}
		})
	}
}

func TestWhatIsNoFileIsNotServed(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mediaserver.OpenFile(f); err == nil {
		t.Error("a folder was taken")
	}
	g, _ := open(t, mp4)
	film, err := mediaserver.OpenFile(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mediaserver.Serve(film, mediaserver.Config{}); err == nil {
		t.Error("it is served to nobody")
	}
	if _, err := g.Stat(); err == nil {
		t.Error("what was not served is still open")
	}
	if _, err := mediaserver.Serve(film, mediaserver.Config{Receivers: []netip.Addr{netip.MustParseAddr("fe80::1")}, Local: netip.MustParseAddr("fe80::2")}); err == nil || !strings.Contains(err.Error(), "IPv4") {
		t.Errorf("link-local: got %v, want what to do", err)
	}
}

// The address is the one that leads to the receiver.
func TestTheAddressIsOneThatTheReceiverReaches(t *testing.T) {
	f, _ := open(t, mp4)
	film, err := mediaserver.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	s, err := mediaserver.Serve(film, mediaserver.Config{Receivers: []netip.Addr{netip.MustParseAddr("127.0.0.77")}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.HasPrefix(s.URL(), "http://127.0.0.") {
		t.Errorf("got %s", s.URL())
	}
}
