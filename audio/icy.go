package audio

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"

	"airplay2mqtt/audio/tags"
)

// icyConn turns the answer "ICY 200 OK", which old radio servers give, into
// one that is HTTP.
type icyConn struct {
	net.Conn
	looked bool
	head   []byte // what is to be read before the rest
	err    error  // and after head
}

func (c *icyConn) Read(p []byte) (int, error) {
	if !c.looked {
		c.looked = true
		head := make([]byte, 4)
		n, err := io.ReadFull(c.Conn, head)
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		if c.head, c.err = head[:n], err; string(c.head) == "ICY " {
			c.head = []byte("HTTP/1.0 ")
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(p)
}

// icyReader takes the titles out of a radio's stream, where one stands after
// every so many bytes:
//
//	every bytes of sound | n | 16*n bytes of text, filled up with zeros | sound …
type icyReader struct {
	r     *bufio.Reader
	every int
	left  int // bytes before the next text
	say   func(title string)
}

func (r *icyReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.left == 0 {
		if err := r.text(); err != nil {
			return 0, err
		}
		r.left = r.every
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

func (r *icyReader) text() error {
	n, err := r.r.ReadByte()
	if err != nil {
		return err // the end, where it may be
	}
	text := make([]byte, 16*int(n))
	if _, err := io.ReadFull(r.r, text); err != nil {
		return io.EOF // cut in the text: all of the sound was there
	}
	if title, ok := parseTitle(text); ok {
		r.say(title)
	}
	return nil
}

// parseTitle reads StreamTitle='…';StreamUrl='…';. A title may hold quotes and
// semicolons, but hardly both in a row.
func parseTitle(text []byte) (string, bool) {
	text = bytes.TrimRight(text, "\x00")
	_, rest, ok := bytes.Cut(text, []byte("StreamTitle='"))
	if !ok {
		return "", false
	}
	if end := bytes.Index(rest, []byte("';")); end >= 0 {
		rest = rest[:end]
	} else {
		rest = bytes.TrimSuffix(rest, []byte("'"))
	}
	title := strings.Trim(tags.Clean(string(rest)), " -") // "Artist - Title", with one of them missing
	return title, title != ""
}
