package rtsp

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// Config says how a Client asks.
type Config struct {
	// Header is sent with every request.
	Header Header
	// Password answers digest challenges. Empty: they are not answered.
	Password string
	// UpperDigest is [Digest.Upper], and Username then always iTunes.
	UpperDigest bool
	// Patience is how long an answer may take before the connection counts
	// as dead. Zero: 10 s.
	Patience time.Duration
	// Logger gets a debug line for each request. Zero: silent.
	Logger zerolog.Logger
}

// A Client asks on one connection, one question at a time. Its methods may be
// called by any goroutine.
type Client struct {
	conn net.Conn
	cfg  Config
	slot chan struct{} // full while an answer is awaited
	read chan struct{} // closed when the reader is gone

	mu     sync.Mutex
	seq    int
	answer chan Response // to whom the next answer goes; nil: nobody
	digest *Digest       // once challenged
	proven bool          // the digest was accepted before

	once sync.Once
	over chan struct{} // closed when the connection is of no use any more
	err  error         // why; to be read after over
}

// NewClient takes conn over and begins to read from it.
func NewClient(conn net.Conn, cfg Config) *Client {
	cfg.Patience = cmp.Or(cfg.Patience, 10*time.Second)
	c := &Client{conn: conn, cfg: cfg, slot: make(chan struct{}, 1),
		read: make(chan struct{}), over: make(chan struct{})}
	go c.readAll()
	return c
}

// Done is closed when the connection is over, be it that the receiver closed
// it while nothing was asked.
func (c *Client) Done() <-chan struct{} { return c.over }

// Err says why the connection is over: io.EOF if the receiver closed it,
// net.ErrClosed if we did. It is nil before.
func (c *Client) Err() error {
	select {
	case <-c.over:
		return c.err
	default:
		return nil
	}
}

// Close ends the connection and waits for the reader.
func (c *Client) Close() error {
	c.fail(net.ErrClosed)
	<-c.read
	return nil
}

// LocalAddr is our end of the connection.
func (c *Client) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr is the receiver's.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// fail ends the connection; the first reason counts.
func (c *Client) fail(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.over)
		c.conn.Close()
	})
}

// Do asks and returns the answer, whatever its code, within the patience of
// the Config. See DoWithin.
func (c *Client) Do(ctx context.Context, req Request) (Response, error) {
	return c.DoWithin(ctx, c.cfg.Patience, req)
}

// DoWithin asks and returns the answer, whatever its code. It waits for its
// turn. If ctx ends first, the answer is dropped when it comes, and until then
// nobody else can ask. If no answer comes within patience, the connection is
// over, because nobody could tell any more which answer belongs to what.
//
// A 401 with a digest challenge is answered if there is a password: once, and
// again only where the receiver merely wants a new nonce.
func (c *Client) DoWithin(ctx context.Context, patience time.Duration, req Request) (Response, error) {
	for tries := 0; ; tries++ {
		used := c.currentDigest()
		resp, err := c.exchange(ctx, patience, req, used)
		if err != nil {
			return resp, err
		}
		if resp.Code != 401 {
			c.accepted(used)
			return resp, nil
		}
		if tries == 2 || !c.challenged(resp, used) {
			return resp, nil
		}
	}
}

func (c *Client) currentDigest() *Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.digest
}

// accepted notes that the receiver took a digest.
func (c *Client) accepted(used *Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proven = c.proven || used != nil
}

// challenged takes a challenge up and tells whether to ask again.
func (c *Client) challenged(resp Response, used *Digest) bool {
	ch, ok := ParseChallenge(resp.Header.Get("WWW-Authenticate"))
	if !ok || c.cfg.Password == "" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := used == nil || ch.Nonce != used.Nonce && (ch.Stale || c.proven)
	c.proven = false
	if fresh {
		c.digest = &Digest{Challenge: ch, Username: c.username(ch.Realm), Password: c.cfg.Password, Upper: c.cfg.UpperDigest}
	}
	return fresh
}

// username is hashed by receivers and, as far as anybody has seen, not checked
// (docs/protocols/raop.md, digest).
func (c *Client) username(realm string) string {
	if realm == "raop" || c.cfg.UpperDigest {
		return "iTunes"
	}
	return "AirPlay"
}

// exchange sends one request and waits for its answer.
func (c *Client) exchange(ctx context.Context, patience time.Duration, req Request, digest *Digest) (Response, error) {
	select {
	case c.slot <- struct{}{}: // given back by the reader
	case <-c.over:
		return Response{}, c.err
	case <-ctx.Done():
		return Response{}, context.Cause(ctx)
	}
	begun := time.Now()
	answer := make(chan Response, 1)
	message := c.prepare(req, digest, answer, begun.Add(patience))
	limit := begun.Add(patience)
	if t, ok := ctx.Deadline(); ok && t.Before(limit) {
		limit = t
	}
	c.conn.SetWriteDeadline(limit)
	if _, err := c.conn.Write(message); err != nil {
		c.fail(err)
		<-c.read
		return c.settle(answer) // who resets has perhaps answered before
	}
	select {
	case resp := <-answer:
		c.cfg.Logger.Debug().Str("method", req.Method).Int("code", resp.Code).Dur("took", time.Since(begun)).Msg("rtsp request")
		return resp, nil
	case <-c.over:
		return c.settle(answer)
	case <-ctx.Done():
		return Response{}, context.Cause(ctx)
	}
}

// settle returns an answer that came with the connection's end, or that.
func (c *Client) settle(answer chan Response) (Response, error) {
	select {
	case resp := <-answer:
		return resp, nil
	default:
		return Response{}, c.err
	}
}

// prepare writes the message, and tells the reader for whom and until when
// the answer is.
func (c *Client) prepare(req Request, digest *Digest, answer chan Response, until time.Time) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	header := append(Header{{"CSeq", strconv.Itoa(c.seq)}}, c.cfg.Header...)
	if digest != nil {
		header.Add("Authorization", digest.Authorization(req.Method, req.URI))
	}
	req.Header = append(header, req.Header...)
	c.answer = answer
	c.conn.SetReadDeadline(until)
	return req.AppendTo(make([]byte, 0, 1024+len(req.Body)))
}

// readAll hands out answers by their order; receivers return wrong CSeqs.
func (c *Client) readAll() {
	defer close(c.read)
	br := bufio.NewReader(c.conn)
	for unasked := 0; unasked < 8; {
		resp, err := ReadResponse(br)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no answer: %w", os.ErrDeadlineExceeded)
		}
		if err != nil {
			c.fail(err)
			return
		}
		if !c.deliver(resp) {
			unasked++
		}
	}
	c.fail(fmt.Errorf("%w: answers to nothing", ErrMalformed))
}

func (c *Client) deliver(resp Response) bool {
	c.mu.Lock()
	answer := c.answer
	c.answer = nil
	if answer != nil {
		c.conn.SetReadDeadline(time.Time{})
	}
	c.mu.Unlock()
	if answer == nil {
		return false
	}
	answer <- resp
	<-c.slot
	return true
}

// HungUp tells whether an error of a Client means that the other end closed
// or reset the connection.
func HungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
