package mediaserver

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"airplay2mqtt/airplay/film"
)

// A Proxy passes on a film that a receiver cannot fetch itself: because its
// server's certificate is a private one, or it wants to see cookies, headers or
// a password. Nothing is kept; what playlists name is passed on too, and
// nothing else. The addresses in them are sealed, so that the receiver can ask
// for those alone.
type Proxy struct {
	f    *fetcher
	made film.Film
	seal *seal
}

// playlistMost is how large a playlist may be.
const playlistMost = 4 << 20

// NewProxy passes on what is at a source. made is what was found there.
func NewProxy(s Source, made film.Film) (*Proxy, error) {
	f, err := s.fetcher()
	if err != nil {
		return nil, err
	}
	sealing, err := newSeal(nil)
	if err != nil {
		return nil, fmt.Errorf("mediaserver: %w", err)
	}
	return &Proxy{f: f, made: made, seal: sealing}, nil
}

// Name says what kind of film it is, and nothing else.
func (p *Proxy) Name() string { return "film" + p.made.Ending }

// Close hangs up.
func (p *Proxy) Close() error {
	p.f.close()
	return nil
}

// Serve asks the source what it was asked.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, name string) error {
	u := p.f.home
	if name != p.Name() {
		address, ok := p.seal.open(strings.TrimSuffix(name, path.Ext(name)))
		if !ok {
			return ErrNoSuchName
		}
		var err error
		if u, err = url.Parse(address); err != nil {
			return ErrNoSuchName
		}
	}
	like := r.Header
	if strings.HasSuffix(name, ".m3u8") {
		like = nil // it is rewritten: its parts are others
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	resp, err := p.f.fetch(ctx, r.Method, u, like)
	if err != nil {
		http.Error(w, "the source does not answer", gateway(err))
		return fmt.Errorf("mediaserver: %w", err)
	}
	defer resp.Body.Close()
	return p.pass(w, r, resp)
}

func gateway(err error) int {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// passed are the headers that are handed on.
var passed = []string{"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Etag", "Last-Modified", "Cache-Control", "Expires", "Date"}

// pass hands on an answer.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, resp *http.Response) error {
	var trouble error
	if resp.StatusCode >= 400 && resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		trouble = fmt.Errorf("mediaserver: %w", &FetchError{URL: withoutSecrets(resp.Request.URL), Status: resp.StatusCode})
	}
	body := bufio.NewReaderSize(resp.Body, 64<<10)
	if resp.StatusCode == http.StatusOK && playlist(resp, body, r.Method) {
		return p.passPlaylist(w, r, resp, body)
	}
	for _, name := range passed {
		if v := resp.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead {
		return trouble
	}
	if _, err := io.Copy(w, body); err != nil && r.Context().Err() == nil {
		trouble = fmt.Errorf("mediaserver: %w", &FetchError{URL: withoutSecrets(resp.Request.URL), Err: err})
	}
	return trouble
}

// playlist tells whether an answer is a playlist of HLS: by what it says of
// itself, or by its beginning.
func playlist(resp *http.Response, body *bufio.Reader, method string) bool {
	mime := strings.ToLower(resp.Header.Get("Content-Type"))
	if strings.Contains(mime, "mpegurl") || strings.HasSuffix(strings.ToLower(resp.Request.URL.Path), ".m3u8") {
		return true
	}
	if method == http.MethodHead {
		return false
	}
	head, _ := body.Peek(len("#EXTM3U"))
	return string(head) == "#EXTM3U"
}

func (p *Proxy) passPlaylist(w http.ResponseWriter, r *http.Request, resp *http.Response, body io.Reader) error {
	w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
	w.Header().Set("Cache-Control", cmp.Or(resp.Header.Get("Cache-Control"), "no-cache"))
	if r.Method == http.MethodHead {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(body, playlistMost+1))
	if err == nil && len(text) > playlistMost {
		err = fmt.Errorf("a playlist of more than %d MiB", playlistMost>>20)
	}
	if err != nil {
		http.Error(w, "the playlist cannot be read", http.StatusBadGateway)
		return fmt.Errorf("mediaserver: %w", &FetchError{URL: withoutSecrets(resp.Request.URL), Err: err})
	}
	out := rewrite(string(text), resp.Request.URL, p.seal.name)
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	io.WriteString(w, out)
	return nil
}
