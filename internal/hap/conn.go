package hap

import (
	"bufio"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// maxSent is how much goes into a frame that we send. What comes may fill the
// length's two bytes.
const maxSent = 1024

const lengthSize = 2

// ErrFrame is returned by Read for a frame that was not made with the key and
// for this moment: the connection is of no use any more.
var ErrFrame = errors.New("hap: a frame was not encrypted by the receiver for this moment")

// A Conn is a connection whose bytes are encrypted from some moment on. One
// goroutine may read while another writes.
type Conn struct {
	net.Conn
	in *bufio.Reader

	mu   sync.Mutex
	keys *ciphers // nil: nothing is encrypted yet

	// Of who reads.
	sealed [lengthSize + 1<<16 - 1 + chacha20poly1305.Overhead]byte
	plain  []byte // decrypted and not taken yet, in sealed
	bad    error

	// Of who writes, one at a time.
	writing sync.Mutex
	frame   []byte
	broken  error // a frame was not written whole
}

// ciphers are the two directions.
type ciphers struct{ write, read direction }

// A direction is a key, and how many frames it was used for.
type direction struct {
	cipher.AEAD
	frames uint64
	nonce  [chacha20poly1305.NonceSize]byte
}

// next is the nonce of the next frame.
func (d *direction) next() []byte {
	binary.LittleEndian.PutUint64(d.nonce[4:], d.frames)
	d.frames++
	return d.nonce[:]
}

// NewConn takes conn over. Until Encrypt it is what conn is.
func NewConn(conn net.Conn) *Conn { return &Conn{Conn: conn, in: bufio.NewReader(conn)} }

// Encrypt begins to encrypt: at a moment when the other side has said all that
// it says in plain, and answers only what it is asked. Somebody may be waiting
// in Read.
func (c *Conn) Encrypt(ch Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = &ciphers{write: direction{AEAD: aead(ch.Write)}, read: direction{AEAD: aead(ch.Read)}}
}

func aead(key []byte) cipher.AEAD {
	a, err := chacha20poly1305.New(key)
	if err != nil {
		panic("hap: " + err.Error()) // keys are ours and of the right length
	}
	return a
}

func (c *Conn) ciphers() *ciphers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys
}

// Read waits for bytes before it asks whether they are encrypted, for that may
// have begun meanwhile.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for len(c.plain) == 0 {
		if c.bad != nil {
			return 0, c.bad
		}
		if _, err := c.in.Peek(1); err != nil {
			return 0, err
		}
		keys := c.ciphers()
		if keys == nil {
			return c.in.Read(b)
		}
		if err := c.next(keys); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

// next reads a frame:
//
//	length, low byte first | encrypted | tag
//	2                      | length    | 16
func (c *Conn) next(keys *ciphers) error {
	if _, err := io.ReadFull(c.in, c.sealed[:lengthSize]); err != nil {
		return c.end(err)
	}
	n := lengthSize + int(binary.LittleEndian.Uint16(c.sealed[:])) + chacha20poly1305.Overhead
	if _, err := io.ReadFull(c.in, c.sealed[lengthSize:n]); err != nil {
		return c.end(err)
	}
	plain, err := keys.read.Open(c.sealed[lengthSize:lengthSize], keys.read.next(), c.sealed[lengthSize:n], c.sealed[:lengthSize])
	if err != nil {
		return c.end(ErrFrame)
	}
	c.plain = plain
	return nil
}

// end notes that the rest cannot be read: part of a frame is gone.
func (c *Conn) end(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.bad = err
	return err
}

// Write encrypts and sends.
func (c *Conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	keys := c.ciphers()
	if keys == nil {
		return c.Conn.Write(b)
	}
	if c.broken != nil {
		return 0, c.broken
	}
	c.frame = c.frame[:0]
	for rest := b; len(rest) > 0; {
		part := rest[:min(len(rest), maxSent)]
		rest = rest[len(part):]
		c.frame = keys.appendFrame(c.frame, part)
	}
	if _, err := c.Conn.Write(c.frame); err != nil {
		// A counter is never used twice, and a torn frame cannot be mended.
		c.broken = fmt.Errorf("hap: an earlier frame was not written whole: %w", err)
		return 0, err
	}
	return len(b), nil
}

func (k *ciphers) appendFrame(b, part []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(part)))
	return k.write.Seal(b, k.write.next(), part, b[at:at+lengthSize])
}
