package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	retryFirst = 500 * time.Millisecond // after which is asked again, and then twice that, and so on
	retryMost  = 15 * time.Second
	// resumeFor is how long a download that is cut off is asked for again.
	resumeFor = time.Minute
	// passOver is how many bytes are read in vain rather than asking again.
	passOver = 256 << 10
)

// A download reads the body of an answer that has an end. When it is cut off,
// the rest is asked for, if the server still has the same. It can seek, by
// asking again too, which is of use where the server gives parts.
type download struct {
	o     *Opener
	url   *url.URL
	name  string
	size  int64  // -1: not known
	limit int64  // bytes
	valid string // what tells whether the server still has the same, or ""
	whole bool   // there are no parts
	life  context.Context
	end   context.CancelCauseFunc

	at   int64 // the next byte that is read
	from int64 // the next byte of now

	mu  sync.Mutex
	now *reply // nil: to be asked for
}

func newDownload(o *Opener, u *url.URL, r *reply, limit int64) *download {
	d := &download{o: o, url: u, name: r.name, size: r.head.ContentLength, limit: limit, valid: validator(r.head.Header), now: r}
	d.life, d.end = context.WithCancelCause(context.Background())
	return d
}

// twin reads the same from the beginning, on a connection of its own, until
// either is closed.
func (d *download) twin() *download {
	t := &download{o: d.o, url: d.url, name: d.name, size: d.size, limit: d.limit, valid: d.valid, life: d.life, end: d.end}
	context.AfterFunc(d.life, func() { t.drop() })
	return t
}

// validator is what tells one version of a file from another.
func validator(h http.Header) string {
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) { // W/"…" is not for parts
		return tag
	}
	return h.Get("Last-Modified")
}

// ranges tells whether the server gives parts of this.
func (d *download) ranges(h http.Header) bool {
	return strings.EqualFold(strings.TrimSpace(h.Get("Accept-Ranges")), "bytes")
}

func (d *download) Read(p []byte) (int, error) {
	if d.size >= 0 && d.at >= d.size {
		return 0, io.EOF
	}
	if d.size < 0 && d.at >= d.limit {
		return d.beyond()
	}
	p = p[:min(int64(len(p)), d.limit-d.at)]
	n, err := d.read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	if d.finished(err) || !d.resumable() {
		return 0, d.ended(err)
	}
	return d.resume(p, err)
}

// finished tells whether err is the end, as it should be, or ours.
func (d *download) finished(err error) bool {
	return err == io.EOF && (d.size < 0 || d.at >= d.size) || d.life.Err() != nil
}

// resumable tells whether the rest can be asked for. Where nothing tells whether
// the server still has the same, its length must do.
func (d *download) resumable() bool { return !d.whole && (d.valid != "" || d.size >= 0) }

func (d *download) ended(err error) error {
	if err == io.EOF && d.size >= 0 && d.at < d.size {
		err = &FetchError{URL: d.name, Err: io.ErrUnexpectedEOF}
	}
	return err
}

// resume asks for the rest until there is some, or it has been cut off for too
// long. err is why.
func (d *download) resume(p []byte, err error) (int, error) {
	why := d.ended(err)
	lost := time.Now()
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		d.drop()
		d.o.Logger.Warn().Str("address", d.name).Int64("at", d.at).Err(why).Msg("download cut off, asking for the rest")
		if pause(d.life, wait) != nil {
			return 0, why
		}
		n, err := d.read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if d.life.Err() != nil || errors.Is(err, errChanged) || refused(err) || time.Since(lost) > resumeFor {
			return 0, why
		}
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refused tells whether asking again is of no use.
func refused(err error) bool {
	var fetch *FetchError
	return errors.As(err, &fetch) && fetch.Status >= 400 && fetch.Status < 500 &&
		fetch.Status != http.StatusRequestTimeout && fetch.Status != http.StatusTooManyRequests
}

// read reads from at on, once.
func (d *download) read(p []byte) (int, error) {
	r, err := d.connection()
	if err != nil {
		return 0, err
	}
	for d.from < d.at { // what is in front of a part that was not given
		n, err := r.Read(p[:min(int64(len(p)), d.at-d.from)])
		d.from += int64(n)
		if n == 0 && err != nil {
			return 0, err
		}
	}
	n, err := r.Read(p)
	d.at += int64(n)
	d.from = d.at
	return n, err
}

// connection is one whose next byte is at, or not far before it.
func (d *download) connection() (*reply, error) {
	d.mu.Lock()
	r := d.now
	d.mu.Unlock()
	if r != nil && d.from <= d.at && d.at-d.from <= passOver {
		return r, nil
	}
	d.drop()
	ctx, cancel := context.WithTimeout(d.life, orDefault(d.o.Timeout, defaultTimeout))
	defer cancel()
	r, err := d.o.request(ctx, d.url, part{from: d.at, valid: d.valid})
	if err != nil {
		return nil, err
	}
	if d.from, err = d.begins(r); err != nil {
		r.Close()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life.Err() != nil {
		r.Close()
		return nil, errClosed
	}
	d.now = r
	return r, nil
}

var errChanged = errors.New("the server has something else now")

// begins is at which byte an answer begins. Where all is given and not the part
// that was asked for, that will do if it is the same.
func (d *download) begins(r *reply) (int64, error) {
	switch h := r.head.Header; r.head.StatusCode {
	case http.StatusPartialContent:
		var from, last int64
		total := h.Get("Content-Range")
		if _, err := fmt.Sscanf(total, "bytes %d-%d/", &from, &last); err != nil || from != d.at {
			return 0, &FetchError{URL: d.name, Err: errChanged}
		}
		_, total, _ = strings.Cut(total, "/")
		if d.size >= 0 && total != fmt.Sprint(d.size) && total != "*" {
			return 0, &FetchError{URL: d.name, Err: errChanged}
		}
		return from, nil
	case http.StatusOK:
		if d.at > 0 && (d.valid == "" || validator(h) != d.valid) || r.head.ContentLength != d.size {
			return 0, &FetchError{URL: d.name, Err: errChanged}
		}
		return 0, nil
	}
	return 0, &FetchError{URL: d.name, Status: r.head.StatusCode}
}

// beyond finds out whether there is more than the limit.
func (d *download) beyond() (int, error) {
	var one [1]byte
	n, err := d.read(one[:])
	if n > 0 {
		return 0, &TooLargeError{URL: d.name, Size: -1, Limit: d.limit}
	}
	return 0, err
}

// Seek asks nothing; Read does.
func (d *download) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += d.at
	case io.SeekEnd:
		offset += d.size
	}
	if offset < 0 {
		return 0, errors.New("audio: seek before the beginning")
	}
	d.at = offset
	return offset, nil
}

// drop hangs up.
func (d *download) drop() {
	d.mu.Lock()
	r := d.now
	d.now = nil
	d.mu.Unlock()
	if r != nil {
		r.Close()
	}
}

// Close ends a Read that waits.
func (d *download) Close() error {
	d.end(errClosed)
	d.mu.Lock()
	r := d.now
	d.mu.Unlock()
	if r == nil {
		return nil
	}
	return r.Close()
}
