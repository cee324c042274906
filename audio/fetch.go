package audio

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/audio/tags"
)

const (
	defaultDownload = 512 << 20
	stallFile       = 15 * time.Second // without a byte, after which a connection is given up
	stallRadio      = time.Minute      // and a radio that is not asked for again
)

// fetch requests a URL. Its body becomes the input; ctx bounds the request
// only. What a radio says that it plays goes to t, or to new titles if it is
// nil.
func (o *Opener) fetch(ctx context.Context, u *url.URL, t *titles) (*input, error) {
	r, err := o.request(ctx, u, part{})
	if err != nil {
		return nil, err
	}
	in := &input{
		name: r.name, asked: u, url: r.head.Request.URL, mime: r.head.Header.Get("Content-Type"),
		titles: t, close: r.Close,
	}
	if err := o.receive(ctx, in, r); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// receive looks at the head of an answer and makes its body the input's.
func (o *Opener) receive(ctx context.Context, in *input, r *reply) error {
	if r.head.StatusCode != http.StatusOK {
		return &FetchError{URL: in.name, Status: r.head.StatusCode}
	}
	h, size := r.head.Header, r.head.ContentLength
	in.live = size < 0 && endless(h)
	every, err := strconv.Atoi(h.Get("Icy-Metaint"))
	marked := err == nil && every > 0
	if (in.live || marked) && in.titles == nil {
		in.titles = newTitles()
	}
	in.said = Tags{Title: tags.Clean(h.Get("Icy-Name")), Album: tags.Clean(h.Get("Icy-Name")), Genre: tags.Clean(h.Get("Icy-Genre"))}
	if in.live {
		if in.r = r; o.Reconnect < 0 {
			r.stall = stallRadio
		}
	} else if err := o.download(ctx, in, r, marked); err != nil {
		return err
	}
	if marked {
		in.r = &icyReader{r: bufio.NewReader(in.r), every: every, left: every, say: in.titles.say}
	}
	return nil
}

// download makes an answer that has an end the input's.
func (o *Opener) download(ctx context.Context, in *input, r *reply, marked bool) error {
	size, limit := r.head.ContentLength, orDefault(o.MaxDownload, defaultDownload)
	if size > limit {
		return &TooLargeError{URL: in.name, Size: size, Limit: limit}
	}
	d := newDownload(o, in.asked, r, limit)
	in.r, in.close = d, sync.OnceValue(d.Close)
	switch {
	case marked:
		d.whole = true // titles stand between the bytes: those of a part would stand elsewhere
	case 0 < size && size <= spoolSize:
		in.keep(ctx, newSpool(d, int(size)))
	case size > 0 && d.ranges(r.head.Header):
		in.again = d.twin()
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

// endless tells a stream without end from a file that is sent without saying how
// long it is.
func endless(h http.Header) bool {
	for key := range h {
		if strings.HasPrefix(key, "Icy-") {
			return true
		}
	}
	server := strings.ToLower(h.Get("Server"))
	return strings.HasPrefix(server, "icecast") || strings.HasPrefix(server, "shoutcast")
}
