package mediaserver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/airplay/film"
	"airplay2mqtt/airplay/mediaserver"
)

// An origin is a web server with films, and what it was asked.
type origin struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // method, path, range
}

func (o *origin) asked() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.seen, "\n")
}

const master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.64001f,mp4a.40.2\"\nlow/list.m3u8?key=secret\n" +
	"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"sound.m3u8\"\n"

const list = "#EXTM3U\r\n#EXT-X-TARGETDURATION:6\r\n#EXT-X-KEY:METHOD=AES-128,URI=\"../key.bin\",IV=0x1\r\n" +
	"#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://other\"\r\n#EXTINF:6,\r\n1.ts\r\n#EXT-X-ENDLIST\r\n"

// newOrigin wants a password and a cookie.
func newOrigin(t *testing.T, start func(http.Handler) *httptest.Server) *origin {
	t.Helper()
	o := &origin{}
	o.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.seen = append(o.seen, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Range")))
		o.mu.Unlock()
		user, password, _ := r.BasicAuth()
		if user != "ann" || password != "word" || r.Header.Get("Cookie") != "a=b" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/a.mp4":
			w.Header().Set("Content-Type", "video/mp4")
			http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(mp4))
		case "/hls.m3u8":
			w.Write([]byte(master))
		case "/low/list.m3u8":
			w.Write([]byte(list))
		case "/low/1.ts", "/key.bin":
			http.ServeContent(w, r, "x.ts", time.Time{}, strings.NewReader("piece of "+r.URL.Path))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(o.Close)
	return o
}

// source is a film at the origin, with what it wants to see.
func (o *origin) source(path string) mediaserver.Source {
	u, _ := url.Parse(o.URL + path)
	u.User = url.UserPassword("ann", "word")
	s := mediaserver.Source{URL: u.String(), Header: http.Header{"Cookie": {"a=b"}}}
	if o.TLS != nil {
		pool := x509.NewCertPool()
		pool.AddCert(o.Certificate())
		s.TLS = &tls.Config{RootCAs: pool}
	}
	return s
}

func proxy(t *testing.T, s mediaserver.Source) *mediaserver.Server {
	t.Helper()
	found, err := s.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := mediaserver.NewProxy(s, found.Film)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, p, loopback)
}

func TestAPrivateCertificateIsPassedThrough(t *testing.T) {
	o := newOrigin(t, httptest.NewTLSServer)
	s := proxy(t, o.source("/a.mp4?token=secret"))
	if strings.Contains(s.URL(), "word") || strings.Contains(s.URL(), "secret") || !strings.HasSuffix(s.URL(), "/film.mp4") {
		t.Errorf("got %s", s.URL())
	}
	for _, c := range []struct{ part, want string }{{"bytes=0-1", mp4[:2]}, {"bytes=0-", mp4}, {"bytes=-20", mp4[10000:]}} {
		resp, body := ask(t, "GET", s.URL(), "Range", c.part)
		if resp.StatusCode != 206 || body != c.want || resp.Header.Get("Content-Range") == "" || resp.Header.Get("Content-Type") != "video/mp4" {
			t.Errorf("%s: got %s, %v", c.part, resp.Status, resp.Header)
		}
		if !strings.Contains(o.asked(), "GET /a.mp4?token=secret "+c.part) {
			t.Errorf("%s was not asked of the source:\n%s", c.part, o.asked())
		}
	}
	if resp, _ := ask(t, "HEAD", s.URL()); resp.StatusCode != 200 || resp.ContentLength != int64(len(mp4)) {
		t.Errorf("HEAD: got %s, %d", resp.Status, resp.ContentLength)
	}
	if resp, _ := ask(t, "GET", s.URL(), "Range", "bytes=999999-"); resp.StatusCode != 416 {
		t.Errorf("behind the end: got %s", resp.Status)
	}
}

func TestACertificateThatIsNotTrusted(t *testing.T) {
	o := newOrigin(t, httptest.NewTLSServer)
	s := o.source("/a.mp4?token=secret")
	s.TLS = nil
	_, err := s.Probe(t.Context())
	var untrusted *tls.CertificateVerificationError
	if !errors.As(err, &untrusted) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "word") {
		t.Errorf("got %v, want a certificate error without secrets", err)
	}
}

func TestPlaylistsAreRewritten(t *testing.T) {
	o := newOrigin(t, httptest.NewServer)
	s := proxy(t, o.source("/hls.m3u8"))
	base := s.URL()[:strings.LastIndex(s.URL(), "/")+1]
	resp, text := ask(t, "GET", s.URL(), "Range", "bytes=0-1")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/vnd.apple.mpegurl" {
		t.Fatalf("got %s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	for _, secret := range []string{"secret", "low", "sound.m3u8", "word"} {
		if strings.Contains(text, secret) {
			t.Errorf("the playlist tells %q:\n%s", secret, text)
		}
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || !strings.HasSuffix(lines[2], ".m3u8") || !strings.HasSuffix(lines[3], `.m3u8"`) {
		t.Fatalf("got\n%s", text)
	}
	_, inner := ask(t, "GET", base+lines[2])
	if _, again := ask(t, "GET", base+lines[2]); again != inner {
		t.Error("the same piece has another name the second time")
	}
	if !strings.Contains(inner, `URI="skd://other"`) || !strings.Contains(inner, "#EXTINF:6,\r\n") {
		t.Errorf("got\n%s", inner)
	}
	rows := strings.Split(inner, "\r\n")
	if resp, piece := ask(t, "GET", base+rows[5], "Range", "bytes=0-4"); resp.StatusCode != 206 || piece != "piece" || !strings.HasSuffix(rows[5], ".ts") {
		t.Errorf("piece: got %s %q", resp.Status, piece)
	}
	key := strings.Split(rows[2], `"`)[1]
	if _, b := ask(t, "GET", base+key); b != "piece of /key.bin" {
		t.Errorf("key: got %q", b)
	}
	if resp, b := ask(t, "HEAD", base+lines[2]); resp.StatusCode != 200 || b != "" {
		t.Errorf("HEAD: got %s", resp.Status)
	}
}

// A receiver that leaves playlists to its sender wants those of this server too.
func TestPlaylistsAreHadFromWithin(t *testing.T) {
	o := newOrigin(t, httptest.NewServer)
	s := proxy(t, o.source("/hls.m3u8"))
	_, want := ask(t, "GET", s.URL())
	status, mime, body, ours := s.Within(t.Context(), s.URL())
	if !ours || status != 200 || mime != "application/vnd.apple.mpegurl" || string(body) != want {
		t.Errorf("got %d %s %v %q, want %q", status, mime, ours, body, want)
	}
	base := s.URL()[:strings.LastIndex(s.URL(), "/")+1]
	for address, want := range map[string]int{
		base + "other.m3u8":            404,
		"http://127.0.0.1:1/film.m3u8": 0, "": 0, s.URL() + "0": 404,
	} {
		if status, _, _, ours := s.Within(t.Context(), address); status != want && (ours || want != 0) {
			t.Errorf("%s: got %d, want %d", address, status, want)
		}
	}
	s.Close()
	if _, _, _, ours := s.Within(t.Context(), s.URL()); ours {
		t.Error("it answers after the end")
	}
}

// Nobody can have the bridge fetch what no playlist names.
func TestOnlyWhatPlaylistsNameIsFetched(t *testing.T) {
	o := newOrigin(t, httptest.NewServer)
	s := proxy(t, o.source("/hls.m3u8"))
	base := s.URL()[:strings.LastIndex(s.URL(), "/")+1]
	before := o.asked()
	evil := base64.RawURLEncoding.EncodeToString([]byte("012345678901" + o.URL + "/key.bin"))
	for _, name := range []string{"low", "a.mp4", "x.m3u8", evil, evil + ".ts", strings.Repeat("A", 200)} {
		if resp, _ := ask(t, "GET", base+name); resp.StatusCode != 404 {
			t.Errorf("%.20s: got %s, want 404", name, resp.Status)
		}
	}
	if o.asked() != before {
		t.Errorf("the source was asked:\n%s", o.asked())
	}
}

func TestSecretsStayWithTheirHost(t *testing.T) {
	var got http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		http.ServeContent(w, r, "a.mp4", time.Time{}, strings.NewReader(mp4))
	}))
	defer other.Close()
	first := httptest.NewServer(http.RedirectHandler(other.URL+"/x.mp4", http.StatusFound))
	defer first.Close()
	s := mediaserver.Source{
		URL:    strings.Replace(first.URL, "http://", "http://ann:word@", 1) + "/a.mp4",
		Header: http.Header{"Cookie": {"a=b"}, "X-Key": {"secret"}},
	}
	if _, err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Authorization", "Cookie", "X-Key", "Referer"} {
		if got.Get(name) != "" {
			t.Errorf("%s went to another host", name)
		}
	}
}

var errRefused = errors.New("this address is not connected to")

// The one who dials decides, for what playlists name as well.
func TestRefusedAddressesAreNotReached(t *testing.T) {
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	o := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + elsewhere.URL + "/1.ts\n"))
	}))
	defer o.Close()
	s := mediaserver.Source{URL: o.URL + "/a.m3u8", DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == elsewhere.Listener.Addr().String() {
			return nil, errRefused
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	server := proxy(t, s)
	_, text := ask(t, "GET", server.URL())
	rows := strings.Split(text, "\n")
	resp, _ := ask(t, "GET", server.URL()[:strings.LastIndex(server.URL(), "/")+1]+rows[3])
	if resp.StatusCode != 502 || !errors.Is(server.Err(), errRefused) {
		t.Errorf("got %s, %v, want 502 and the refusal", resp.Status, server.Err())
	}
}

func TestTroubleAtTheSourceIsTold(t *testing.T) {
	status := http.StatusOK
	o := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		http.ServeContent(w, r, "a.mp4", time.Time{}, strings.NewReader(mp4))
	}))
	defer o.Close()
	server := proxy(t, mediaserver.Source{URL: o.URL + "/a.mp4"})
	for _, status = range []int{403, 404, 500} {
		if resp, _ := ask(t, "GET", server.URL()); resp.StatusCode != status {
			t.Errorf("got %s, want %d", resp.Status, status)
		}
		var fetch *mediaserver.FetchError
		if !errors.As(server.Err(), &fetch) || fetch.Status != status {
			t.Errorf("%d: got %v", status, server.Err())
		}
		_, err := mediaserver.Source{URL: o.URL}.Probe(t.Context())
		if !errors.As(err, &fetch) || fetch.Status != status {
			t.Errorf("%d: probe: got %v", status, err)
		}
	}
	for _, bad := range []string{"", "x", "ftp://x/y", "http://", "http://[::1", "rtsp://camera/1"} {
		if _, err := (mediaserver.Source{URL: bad}).Probe(t.Context()); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// A media playlist does not tell what it is made of; its first piece does.
func TestHLSIsLookedInto(t *testing.T) {
	o := newOrigin(t, httptest.NewServer)
	found, err := o.source("/low/list.m3u8").Probe(t.Context())
	if err != nil || found.Film.Container != "hls" || !strings.Contains(o.asked(), "/low/1.ts") {
		t.Errorf("got %+v, %v\n%s", found, err, o.asked())
	}
	found, err = o.source("/hls.m3u8").Probe(t.Context())
	if v, _ := found.Film.Playable(); err != nil || v != film.Always || len(found.Film.Pictures) != 1 {
		t.Errorf("got %+v, %v", found, err)
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add(master)
	f.Add(list)
	f.Add("#EXT-X-MAP:URI=\"\"\n\x00\n://\n#\n")
	base, _ := url.Parse("http://10.0.0.1/a/b.m3u8")
	f.Fuzz(func(t *testing.T, text string) {
		out := mediaserver.Rewrite(text, base, func(address, ending string) string {
			if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
				t.Errorf("%q is to be fetched", address)
			}
			return "name" + ending
		})
		if strings.Count(out, "\n") != strings.Count(text, "\n") {
			t.Errorf("lines came or went: %q, %q", text, out)
		}
	})
}
