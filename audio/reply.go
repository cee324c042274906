package audio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	redirectsAtMost = 5
	headersAtMost   = 64 << 10 // bytes
	userAgent       = "airplay2mqtt"
)

// A part is what is asked for of a URL. The zero part is all of it.
type part struct {
	from, to int64  // bytes; to is exclusive, 0: up to the end
	valid    string // an ETag or a date: the part is of what had this; or ""
}

// A reply is what a server answered. Its body is given up when nothing of it
// comes for too long.
type reply struct {
	name   string // of the URL, for messages
	head   *http.Response
	life   context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
	timer  *time.Timer
	close  func() error
}

// request asks for a part of a URL. ctx bounds the asking, not the body.
func (o *Opener) request(ctx context.Context, u *url.URL, p part) (*reply, error) {
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(ctx.Err()) })
	transport := o.transport(ctx)
	resp, err := o.ask(life, transport, u, p)
	if !stop() || err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer in time: %w", ctx.Err())
		}
		cancel(nil)
		return nil, &FetchError{URL: shown(u), Err: err}
	}
	o.Logger.Debug().Str("address", shown(u)).Int("status", resp.StatusCode).Int64("from", p.from).
		Int64("bytes", resp.ContentLength).Str("type", resp.Header.Get("Content-Type")).Msg("fetched")
	return &reply{
		name: shown(u), head: resp, life: life, cancel: cancel, stall: stallFile,
		close: sync.OnceValue(func() error {
			cancel(errors.New("closed"))
			err := resp.Body.Close()
			transport.CloseIdleConnections()
			return err
		}),
	}, nil
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

func (o *Opener) ask(ctx context.Context, t *http.Transport, u *url.URL, p part) (*http.Response, error) {
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
	if p == (part{}) {
		req.Header.Set("Icy-MetaData", "1")
	} else {
		p.putInto(req.Header)
	}
	sign := o.Sign
	if sign == nil {
		sign = func(*http.Request) {}
	}
	sign(req)
	c := http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		err := redirect(req, via)
		sign(req)
		return err
	}}
	resp, err := c.Do(req)
	return resp, cut(err)
}

func (p part) putInto(h http.Header) {
	bytes := "bytes=" + strconv.FormatInt(p.from, 10) + "-"
	if p.to > 0 {
		bytes += strconv.FormatInt(p.to-1, 10)
	}
	h.Set("Range", bytes)
	if p.valid != "" {
		h.Set("If-Range", p.valid)
	}
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

func (r *reply) Read(p []byte) (int, error) {
	if r.timer == nil {
		r.timer = time.AfterFunc(r.stall, func() {
			r.cancel(fmt.Errorf("the server sent nothing for %v: %w", r.stall, context.DeadlineExceeded))
		})
	} else {
		r.timer.Reset(r.stall)
	}
	defer r.timer.Stop()
	n, err := r.head.Body.Read(p)
	if err != nil && err != io.EOF {
		if why := context.Cause(r.life); why != nil {
			err = why
		}
		err = &FetchError{URL: r.name, Err: err}
	}
	return n, err
}

// Close ends a Read that waits.
func (r *reply) Close() error { return r.close() }

// A dialer makes connections on which the radios of old can be understood.
type dialer struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	tls   *tls.Config
	until time.Time // lets a net.Dialer share the time out among the addresses of a name
}

func (d dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, d.until)
	defer cancel()
	c, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &icyConn{Conn: c}, nil
}

func (d dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, d.until)
	defer cancel()
	c, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{}
	if d.tls != nil {
		cfg = d.tls.Clone()
	}
	if cfg.ServerName == "" {
		if cfg.ServerName, _, err = net.SplitHostPort(address); err != nil {
			c.Close()
			return nil, err
		}
	}
	t := tls.Client(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return &icyConn{Conn: t}, nil
}

func (d dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if d.dial != nil {
		return d.dial(ctx, network, address)
	}
	var usual net.Dialer
	return usual.DialContext(ctx, network, address)
}
