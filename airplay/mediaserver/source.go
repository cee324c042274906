package mediaserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"airplay2mqtt/airplay/film"
)

// A FetchError tells what went wrong with a film's address.
type FetchError struct {
	URL    string // without user, password, query and fragment
	Status int    // of an answer other than 200 and 206; 0: there was none
	Err    error  // nil if there is a Status
}

func (e *FetchError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("fetch %s: %d %s", e.URL, e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("fetch %s: %v", e.URL, e.Err)
}

func (e *FetchError) Unwrap() error { return e.Err }

// A Source is where a film is fetched from. URL is needed, http or https; a
// user and a password in it are for its host and go nowhere else.
type Source struct {
	URL string
	// Header is sent to the host of the URL, such as cookies.
	Header http.Header
	// TLS is for https. Nil: the system's certificates.
	TLS *tls.Config
	// DialContext makes connections, and may refuse addresses. Nil: a
	// net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	answerPatience = 15 * time.Second
	redirectsMost  = 5
	agent          = "airplay2mqtt"
)

// A fetcher asks the server of a source, and others that this names.
type fetcher struct {
	source Source
	home   *url.URL
	client *http.Client
}

func (s Source) fetcher() (*fetcher, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || !web(u) {
		return nil, fmt.Errorf("mediaserver: %w", &FetchError{URL: withoutSecrets(u), Err: errors.New("neither an http nor an https address")})
	}
	f := &fetcher{source: s, home: u}
	f.client = &http.Client{CheckRedirect: f.redirect, Transport: &http.Transport{
		DialContext:            s.DialContext,
		TLSClientConfig:        s.TLS.Clone(),
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		ResponseHeaderTimeout:  answerPatience,
		TLSHandshakeTimeout:    answerPatience,
		IdleConnTimeout:        time.Minute,
		MaxConnsPerHost:        16,
	}}
	return f, nil
}

func web(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

func withoutSecrets(u *url.URL) string {
	if u == nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// redirect keeps what is secret from other hosts.
func (f *fetcher) redirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > redirectsMost:
		return fmt.Errorf("more than %d redirects", redirectsMost)
	case !web(req.URL):
		return fmt.Errorf("redirected to %s, which is neither http nor https", req.URL.Scheme)
	}
	req.Header.Del("Referer")
	f.sign(req)
	return nil
}

// sign puts into a request what is for the source's own host, or takes it out.
func (f *fetcher) sign(req *http.Request) {
	ours := req.URL.Scheme == f.home.Scheme && req.URL.Host == f.home.Host
	req.Header.Del("Authorization")
	for name, values := range f.source.Header {
		if req.Header.Del(name); ours {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if u := f.home.User; u != nil && ours {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
}

// fetch asks for u. Headers of how it is asked for, such as a range, are taken
// from like.
func (f *fetcher) fetch(ctx context.Context, method string, u *url.URL, like http.Header) (*http.Response, error) {
	plain := *u
	plain.User, plain.Fragment = nil, ""
	req, err := http.NewRequestWithContext(ctx, method, plain.String(), nil)
	if err != nil {
		return nil, &FetchError{URL: withoutSecrets(u), Err: errors.New("not a URL")}
	}
	req.Header.Set("User-Agent", agent)
	for _, name := range []string{"Range", "If-Range"} {
		if v := like.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	f.sign(req)
	resp, err := f.client.Do(req)
	var wrapped *url.Error
	if errors.As(err, &wrapped) { // it shows the query
		err = wrapped.Err
	}
	if err != nil {
		return nil, &FetchError{URL: withoutSecrets(u), Err: err}
	}
	return resp, nil
}

func (f *fetcher) close() { f.client.CloseIdleConnections() }

// A Finding is what Probe finds out about a source.
type Finding struct {
	Film   film.Film
	Size   int64 // -1: not known
	Ranges bool  // the server gives parts, which players want
}

// hopsMost is how many playlists are followed to find what HLS is made of.
const hopsMost = 2

// Probe looks at what is at the source's address, without fetching more of it
// than it needs. Errors are a *FetchError, within others.
func (s Source) Probe(ctx context.Context) (Finding, error) {
	f, err := s.fetcher()
	if err != nil {
		return Finding{}, err
	}
	defer f.close()
	found, u, err := f.probe(ctx, f.home)
	made := &found.Film
	for hop := 0; err == nil && hop < hopsMost && made.Container == "hls"; hop++ {
		if _, known := made.Video(); known || made.Next == "" {
			break
		}
		next, err := u.Parse(made.Next)
		if err != nil || !web(next) {
			break
		}
		inner, at, err := f.probe(ctx, next)
		if err != nil {
			break // the player may have more luck
		}
		u = at
		made.Pictures, made.Sounds, made.Next = inner.Film.Pictures, inner.Film.Sounds, inner.Film.Next
		if inner.Film.Container == "hls" {
			made.Live, made.Duration = inner.Film.Live, inner.Film.Duration
		}
	}
	if err != nil {
		return Finding{}, fmt.Errorf("mediaserver: %w", err)
	}
	return found, nil
}

// probe looks at one address, and tells where it was after redirects.
func (f *fetcher) probe(ctx context.Context, u *url.URL) (Finding, *url.URL, error) {
	r := &remote{f: f, ctx: ctx, url: u}
	if err := r.open(); err != nil {
		return Finding{}, u, err
	}
	made, err := film.Probe(r, r.reach())
	if err == nil && made.Container == "" && strings.HasPrefix(r.mime, "multipart/x-mixed-replace") {
		made = film.Film{Container: "mjpeg", Type: r.mime, Pictures: []film.Codec{{Name: "jpeg"}}}
	}
	return Finding{Film: made, Size: r.size, Ranges: r.ranges}, r.url, err
}

// A remote file is read in pieces.
type remote struct {
	f      *fetcher
	ctx    context.Context // of the probing that it is made for
	url    *url.URL
	head   []byte
	size   int64 // -1: not known
	ranges bool
	mime   string
}

// headMost is how much of a film is fetched at first.
const headMost = 64 << 10

func (r *remote) open() error {
	resp, err := r.f.fetch(r.ctx, http.MethodGet, r.url, http.Header{"Range": {fmt.Sprintf("bytes=0-%d", headMost-1)}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	r.mime, r.size = resp.Header.Get("Content-Type"), resp.ContentLength
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		r.ranges, r.size = true, totalOf(resp.Header.Get("Content-Range"))
	case http.StatusRequestedRangeNotSatisfiable: // it is empty
		r.size = 0
		return nil
	default:
		return &FetchError{URL: withoutSecrets(r.url), Status: resp.StatusCode}
	}
	r.url = resp.Request.URL
	r.head = make([]byte, headMost)
	n, err := io.ReadFull(resp.Body, r.head)
	r.head = r.head[:n]
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF && n == 0 {
		return &FetchError{URL: withoutSecrets(r.url), Err: err}
	}
	return nil
}

// totalOf reads how long all is of which a part was given.
func totalOf(contentRange string) int64 {
	var from, to, total int64
	if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &from, &to, &total); err != nil || total < 0 {
		return -1
	}
	return total
}

// reach is how far it can be read.
func (r *remote) reach() int64 {
	switch {
	case r.ranges, r.size >= 0 && r.size <= int64(len(r.head)):
		return r.size
	}
	return -1
}

func (r *remote) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) <= int64(len(r.head)) || !r.ranges {
		if at >= int64(len(r.head)) {
			return 0, io.EOF
		}
		n := copy(p, r.head[at:])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	part := fmt.Sprintf("bytes=%d-%d", at, at+int64(len(p))-1)
	resp, err := r.f.fetch(r.ctx, http.MethodGet, r.url, http.Header{"Range": {part}})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, &FetchError{URL: withoutSecrets(r.url), Status: resp.StatusCode}
	}
	n, err := io.ReadFull(resp.Body, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// Open fetches all of it, from the beginning. ctx bounds that, and the reading.
func (s Source) Open(ctx context.Context) (io.ReadCloser, error) {
	f, err := s.fetcher()
	if err != nil {
		return nil, err
	}
	resp, err := f.fetch(ctx, http.MethodGet, f.home, nil)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err = &FetchError{URL: withoutSecrets(f.home), Status: resp.StatusCode}
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("mediaserver: %w", err)
	}
	return body{resp.Body, f}, nil
}

type body struct {
	io.ReadCloser
	f *fetcher
}

func (b body) Close() error {
	err := b.ReadCloser.Close()
	b.f.close()
	return err
}
