package audio

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	hlsSize     = 2 << 20  // bytes of a playlist that are read
	segmentSize = 32 << 20 // bytes of a segment that are read
	// hlsTries is how often a segment is asked for.
	hlsTries = 3
)

// openHLS opens a stream that comes in pieces, by the list of them that in is.
func (o *Opener) openHLS(ctx context.Context, in *input, trail []string) (Track, error) {
	if in.url == nil {
		return Track{}, &unsupportedError{name: in.name, what: "an HLS stream without its address", advice: "use its address"}
	}
	text, err := io.ReadAll(io.LimitReader(in, hlsSize))
	if err != nil {
		return Track{}, err
	}
	in.Close()
	if variants := parseMaster(string(text)); len(variants) > 0 {
		if len(trail) > playlistsAtMost {
			return Track{}, &unsupportedError{name: in.name, what: tooDeep}
		}
		place, err := in.beside(choose(variants))
		if err != nil {
			return Track{}, err
		}
		return o.open(ctx, place, trail)
	}
	h := &hlsReader{o: o, url: in.url, name: in.name, list: parseMedia(string(text))}
	h.life, h.end = context.WithCancel(context.Background())
	if h.list.protected {
		return Track{}, &unsupportedError{name: in.name, what: "an HLS stream that is protected"}
	}
	if len(h.list.segments) == 0 && h.list.ended {
		return Track{}, &unsupportedError{name: in.name, what: "an HLS stream without anything in it"}
	}
	h.next = h.list.first
	if !h.list.ended { // begin near what is live
		h.next += int64(max(0, len(h.list.segments)-3))
	}
	next := &input{name: in.name, url: in.url, r: h, close: sync.OnceValue(h.Close), live: !h.list.ended}
	long := h.list.duration()
	t, err := o.track(ctx, next, trail)
	if err == nil && !t.Live { // a decoder may know only that of the first piece
		t.Tags.Duration = long
	}
	return t, err
}

// choose picks the variant to listen to: the best that has sound only and no
// more than 320 kbit/s, else the smallest.
func choose(variants []variant) string {
	slices.SortStableFunc(variants, func(a, b variant) int { return cmp.Compare(a.bandwidth, b.bandwidth) })
	best := variants[0]
	for _, v := range variants {
		if v.soundOnly && (!best.soundOnly || v.bandwidth <= 320_000) {
			best = v
		}
	}
	return cmp.Or(best.sound, best.location)
}

// An hlsReader reads the segments of a stream one behind the other, and the list
// anew while it is live. It reads what it is given by the opener's connections
// only.
type hlsReader struct {
	o    *Opener
	url  *url.URL
	name string
	life context.Context
	end  context.CancelFunc

	list  mediaList
	next  int64  // which segment
	head  string // which header was read last
	rest  io.Reader
	close func() error // rest
	key   struct {
		location string
		block    cipher.Block
	}
}

func (h *hlsReader) Read(p []byte) (int, error) {
	for {
		if h.rest == nil {
			if err := h.advance(); err != nil {
				return 0, err
			}
		}
		n, err := h.rest.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil { // a segment that is cut off is followed by the next one
			h.drop()
		}
		if h.life.Err() != nil {
			return 0, errClosed
		}
	}
}

func (h *hlsReader) drop() {
	if h.close != nil {
		h.close()
	}
	h.rest, h.close = nil, nil
}

// Close ends a Read that waits: all its connections end with life.
func (h *hlsReader) Close() error {
	h.end()
	return nil
}

// advance goes to the next segment, for which it may have to wait.
func (h *hlsReader) advance() error {
	since := time.Now()
	for wait := retryFirst; ; {
		i := h.next - h.list.first
		switch {
		case i < 0: // has gone from the list meanwhile
			h.next = h.list.first
			continue
		case i < int64(len(h.list.segments)):
			err := h.segment(h.list.segments[i])
			if h.life.Err() != nil {
				return errClosed
			}
			if h.next++; err == nil {
				return nil
			}
			if h.list.ended || time.Since(since) > orDefault(h.o.Reconnect, defaultReconnect) {
				return err
			}
			continue
		case h.list.ended:
			return io.EOF
		}
		if pause(h.life, max(wait, h.list.target/2)) != nil {
			return errClosed
		}
		wait = min(2*wait, retryMost)
		if err := h.reload(); err != nil && time.Since(since) > orDefault(h.o.Reconnect, defaultReconnect) {
			return err
		}
		if time.Since(since) > orDefault(h.o.Reconnect, defaultReconnect) && h.next-h.list.first >= int64(len(h.list.segments)) {
			return &FetchError{URL: h.name, Err: errors.New("nothing new in the stream")}
		}
	}
}

// reload reads the list again.
func (h *hlsReader) reload() error {
	text, err := h.whole(h.url, part{}, hlsSize)
	if err != nil {
		return err
	}
	list := parseMedia(string(text))
	if list.first+int64(len(list.segments)+len(h.list.segments)) < h.next { // it was begun anew
		h.next = list.first
	}
	h.list = list
	return nil
}

// segment opens a segment, with the header of its kind in front.
func (h *hlsReader) segment(s segment) (err error) {
	for try := range hlsTries {
		if try > 0 && pause(h.life, retryFirst<<(try-1)) != nil {
			return errClosed
		}
		if err = h.begin(s); err == nil {
			return nil
		}
	}
	return err
}

func (h *hlsReader) begin(s segment) error {
	var head []byte
	if s.head.location != "" && s.head.String() != h.head {
		b, err := h.get(s.head)
		if err != nil {
			return err
		}
		head = b
	}
	if s.key.location == "" {
		r, err := h.ask(s.piece)
		if err != nil {
			return err
		}
		h.rest, h.close = io.MultiReader(newBytes(head), io.LimitReader(r, segmentSize)), r.Close
	} else {
		b, err := h.decrypt(s)
		if err != nil {
			return err
		}
		h.rest = io.MultiReader(newBytes(head), newBytes(b))
	}
	h.head = s.head.String()
	return nil
}

// decrypt reads a segment in AES-128.
func (h *hlsReader) decrypt(s segment) ([]byte, error) {
	if h.key.location != s.key.location {
		key, err := h.get(piece{location: s.key.location})
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil || len(key) != 16 {
			return nil, &FetchError{URL: h.name, Err: errors.New("a key that is none")}
		}
		h.key.location, h.key.block = s.key.location, block
	}
	b, err := h.get(s.piece)
	if err != nil {
		return nil, err
	}
	iv := s.key.iv
	if iv == nil {
		iv = binary.BigEndian.AppendUint64(make([]byte, 8), uint64(s.number))
	}
	b = b[:len(b)/aes.BlockSize*aes.BlockSize]
	if len(b) == 0 {
		return nil, nil
	}
	cipher.NewCBCDecrypter(h.key.block, iv).CryptBlocks(b, b)
	if pad := int(b[len(b)-1]); pad <= aes.BlockSize {
		b = b[:len(b)-pad]
	}
	return b, nil
}

func (h *hlsReader) get(p piece) ([]byte, error) {
	u, err := h.place(p)
	if err != nil {
		return nil, err
	}
	return h.whole(u, p.part, segmentSize)
}

func (h *hlsReader) place(p piece) (*url.URL, error) {
	u, err := h.url.Parse(p.location)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &unsupportedError{name: h.name, what: "an HLS stream with a piece that has no http address"}
	}
	return u, nil
}

func (h *hlsReader) ask(p piece) (*reply, error) {
	u, err := h.place(p)
	if err != nil {
		return nil, err
	}
	return h.request(u, p.part)
}

func (h *hlsReader) request(u *url.URL, p part) (*reply, error) {
	ctx, cancel := context.WithTimeout(h.life, orDefault(h.o.Timeout, defaultTimeout))
	defer cancel()
	r, err := h.o.request(ctx, u, p)
	if err != nil {
		return nil, err
	}
	want := http.StatusOK
	if p.to > 0 {
		want = http.StatusPartialContent
	}
	if r.head.StatusCode != want {
		r.Close()
		return nil, &FetchError{URL: shown(u), Status: r.head.StatusCode}
	}
	hangUp := r.close
	stop := context.AfterFunc(h.life, func() { hangUp() })
	r.close = func() error {
		stop()
		return hangUp()
	}
	return r, nil
}

// whole reads all that is at an address.
func (h *hlsReader) whole(u *url.URL, p part, most int64) ([]byte, error) {
	r, err := h.request(u, p)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if int64(len(b)) > most {
		err = &FetchError{URL: shown(u), Err: fmt.Errorf("more than %d MiB", most>>20)}
	}
	return b, err
}
