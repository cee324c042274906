package audio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/audio/tags"
)

const (
	redirectsAtMost = 5
	headersAtMost   = 64 << 10 // bytes
	defaultDownload = 512 << 20
	stallFile       = 15 * time.Second // without a byte, after which a file is given up
	stallRadio      = time.Minute      // and a radio
	userAgent       = "airplay2mqtt"
)

// fetch requests a URL. Its body becomes the input; ctx bounds the request
// only.
func (o *Opener) fetch(ctx context.Context, u *url.URL) (*input, error) {
	name := shown(u)
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(ctx.Err()) })
	transport := o.transport(ctx)
	resp, err := request(life, transport, u)
	if !stop() || err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer in time: %w", ctx.Err())
		}
		cancel(nil)
		return nil, &FetchError{URL: name, Err: err}
	}
	o.Logger.Debug().Str("address", name).Int("status", resp.StatusCode).
		Int64("bytes", resp.ContentLength).Str("type", resp.Header.Get("Content-Type")).Msg("fetched")
	in := &input{
		name: name, url: resp.Request.URL, mime: resp.Header.Get("Content-Type"),
		close: sync.OnceValue(func() error {
			cancel(errors.New("closed"))
			err := resp.Body.Close()
			transport.CloseIdleConnections()
			return err
		}),
	}
	over := func() error { return context.Cause(life) }
	body := &body{r: resp.Body, name: name, over: over, cancel: cancel, stall: stallFile, left: -1}
	if err := o.receive(ctx, body, in, resp); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// transport makes connections that are used once: a track has one as long as it
// sounds, and no other request is waiting for it.
func (o *Opener) transport(ctx context.Context) *http.Transport {
	d := dialer{dial: o.DialContext, tls: o.TLS}
	d.until, _ = ctx.Deadline()
	return &http.Transport{
		DialContext:            d.plain,
		DialTLSContext:         d.secure,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: headersAtMost,
	}
}

func request(ctx context.Context, t *http.Transport, u *url.URL) (*http.Response, error) {
	plain := *u
	plain.User, plain.Fragment = nil, ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, plain.String(), nil)
	if err != nil {
		return nil, cut(err)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "audio/*, */*;q=0.5")
	req.Header.Set("Icy-MetaData", "1")
	c := http.Client{Transport: t, CheckRedirect: redirect}
	resp, err := c.Do(req)
	return resp, cut(err)
}

// cut takes the method and the URL, with its query, off an error of net/http.
func cut(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func redirect(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > redirectsAtMost:
		return fmt.Errorf("more than %d redirects", redirectsAtMost)
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("redirected to %s, which is neither http nor https", req.URL.Scheme)
	case req.URL.Scheme != last.Scheme || req.URL.Host != last.Host:
		req.Header.Del("Authorization") // it was for another
	}
	req.Header.Del("Referer") // may hold what is secret
	return nil
}

// receive looks at the head of an answer and makes its body the input's.
func (o *Opener) receive(ctx context.Context, b *body, in *input, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &FetchError{URL: in.name, Status: resp.StatusCode}
	}
	h, size := resp.Header, resp.ContentLength
	in.live = size < 0 && radio(h)
	if in.live {
		b.stall = stallRadio
	} else {
		b.limit = orDefault(o.MaxDownload, defaultDownload)
		b.left = b.limit
		if size > b.limit {
			return &TooLargeError{URL: in.name, Size: size, Limit: b.limit}
		}
	}
	in.r = b
	if every, err := strconv.Atoi(h.Get("Icy-Metaint")); err == nil && every > 0 {
		in.titles = newTitles()
		in.r = &icyReader{r: bufio.NewReader(b), every: every, left: every, say: in.titles.say}
	}
	in.said = Tags{Title: tags.Clean(h.Get("Icy-Name")), Album: tags.Clean(h.Get("Icy-Name")), Genre: tags.Clean(h.Get("Icy-Genre"))}
	if 0 < size && size <= spoolSize && in.titles == nil {
		in.keep(ctx, newSpool(b, int(size)))
	}
	return nil
}

// keep makes an input of a download that is kept. If it is not here yet, its
// decoder does not see that it can seek, or it would look at the end of it
// first; a second decoder, which does, is made when a seek is wanted.
func (in *input) keep(ctx context.Context, s *spool) {
	end := in.close
	in.close = sync.OnceValue(func() error {
		err := end()
		s.close()
		return err
	})
	v := &spoolView{spool: s}
	if s.hurry(ctx) {
		in.r, in.seeker = v, v
		return
	}
	in.r, in.again = v, &spoolView{spool: s}
}

// radio tells a stream without end from a file that is sent without saying how
// long it is.
func radio(h http.Header) bool {
	for key := range h {
		if strings.HasPrefix(key, "Icy-") {
			return true
		}
	}
	server := strings.ToLower(h.Get("Server"))
	return strings.HasPrefix(server, "icecast") || strings.HasPrefix(server, "shoutcast")
}

// A body reads what a server sends, but not for ever and not without end.
type body struct {
	r      io.Reader
	name   string
	over   func() error // why the request was ended from our side, or nil
	cancel context.CancelCauseFunc
	stall  time.Duration
	timer  *time.Timer
	limit  int64 // bytes
	left   int64 // of them; -1: no limit
}

func (b *body) Read(p []byte) (int, error) {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.stall, func() {
			b.cancel(fmt.Errorf("the server sent nothing for %v: %w", b.stall, context.DeadlineExceeded))
		})
	} else {
		b.timer.Reset(b.stall)
	}
	defer b.timer.Stop()
	if b.left == 0 {
		return b.beyond()
	}
	if b.left > 0 {
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.r.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	if err != nil && err != io.EOF {
		err = b.fail(err)
	}
	return n, err
}

// beyond finds out whether there is more than the limit.
func (b *body) beyond() (int, error) {
	var one [1]byte
	n, err := io.ReadFull(b.r, one[:])
	if n > 0 {
		return 0, &TooLargeError{URL: b.name, Size: -1, Limit: b.limit}
	}
	if err != io.EOF {
		err = b.fail(err)
	}
	return 0, err
}

func (b *body) fail(err error) error {
	if why := b.over(); why != nil {
		err = why
	}
	return &FetchError{URL: b.name, Err: err}
}
