package video

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"airplay2mqtt/internal/rtsp"
)

const (
	answerMost     = 4 << 20 // bytes
	answerPatience = 10 * time.Second
)

// A line is a connection on which one question is asked at a time. Who has
// proven himself on a connection has done so for that one: it must not be
// exchanged, as a client of net/http would do.
type line struct {
	conn     net.Conn
	r        *bufio.Reader
	turn     chan struct{} // full while an answer is awaited
	header   []pair
	password string
	digest   *rtsp.Digest // once challenged; guarded by turn
	log      zerolog.Logger
}

// A pair is a header as it is written: some receivers look at its case.
type pair struct{ name, value string }

func newLine(conn net.Conn, cfg Config, header []pair) *line {
	return &line{conn: conn, r: bufio.NewReader(conn), turn: make(chan struct{}, 1), header: header,
		password: cfg.Password, log: cfg.Logger}
}

// An answer is what the receiver answers, whatever its code.
type answer struct {
	code   int
	reason string
	header http.Header
	body   []byte
}

// ok is nil for 200, or else a *StatusError.
func (a answer) ok(request string) error {
	if a.code == http.StatusOK {
		return nil
	}
	return &StatusError{request, a.code, a.reason}
}

// ask sends a request and returns the answer. It waits for its turn. A
// challenge is answered once, if there is a password. After an error other than
// that of ctx before its turn, the line is dead.
func (l *line) ask(ctx context.Context, method, path, mime string, body []byte) (answer, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	a, err := l.exchange(ctx, method, path, mime, body)
	if err != nil || a.code != http.StatusUnauthorized || l.password == "" {
		return a, err
	}
	challenge, ok := rtsp.ParseChallenge(a.header.Get("WWW-Authenticate"))
	if !ok || l.digest != nil && l.digest.Nonce == challenge.Nonce {
		return a, nil
	}
	l.digest = &rtsp.Digest{Challenge: challenge, Username: "AirPlay", Password: l.password}
	return l.exchange(ctx, method, path, mime, body)
}

// exchange wants the turn.
func (l *line) exchange(ctx context.Context, method, path, mime string, body []byte) (answer, error) {
	until := time.Now().Add(answerPatience)
	if t, ok := ctx.Deadline(); ok && t.Before(until) {
		until = t
	}
	l.conn.SetDeadline(until)
	stop := context.AfterFunc(ctx, func() { l.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	a, err := l.send(method, path, mime, body)
	if err != nil {
		l.close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	l.log.Debug().Str("method", method).Str("command", path).Int("code", a.code).Err(err).Msg("video request")
	return a, err
}

func (l *line) send(method, path, mime string, body []byte) (a answer, err error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	for _, h := range l.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	if mime != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", mime)
	}
	if l.digest != nil {
		fmt.Fprintf(&b, "Authorization: %s\r\n", l.digest.Authorization(method, path))
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(body))
	b.Write(body)
	if _, err := l.conn.Write(b.Bytes()); err != nil {
		return a, err
	}
	resp, err := http.ReadResponse(l.r, &http.Request{Method: method})
	if err != nil {
		return a, err
	}
	a = answer{code: resp.StatusCode, header: resp.Header}
	_, a.reason, _ = strings.Cut(resp.Status, " ")
	// UxPlay says of an answer without a body nothing at all: the line stays
	// open all the same.
	if a.code == http.StatusSwitchingProtocols || resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 {
		return a, nil
	}
	defer resp.Body.Close()
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, answerMost+1))
	if len(a.body) > answerMost {
		err = fmt.Errorf("an answer of more than %d MiB", answerMost>>20)
	}
	return a, err
}

// close ends the line, and may be called more than once by whoever has the
// turn, or by Close of the session.
func (l *line) close() { l.conn.Close() }
