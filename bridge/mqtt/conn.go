package mqtt

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// writeTimeout bounds every write: a broker that does not read for so long is
// as good as gone.
const writeTimeout = 10 * time.Second

// A wire is the connection as paho sees it. It gives every write a deadline
// (paho gives one to publishes only, and a ping without one can wait for ever)
// and takes the payload out of packets that are too large to be kept.
type wire struct {
	net.Conn
	in *trimmer
}

func newWire(conn net.Conn, max int) *wire {
	return &wire{Conn: conn, in: newTrimmer(conn, max)}
}

// Read never returns net.ErrClosed: paho takes that for its own doing and goes on
// as if nothing had happened.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.in.Read(p)
	if errors.Is(err, net.ErrClosed) {
		err = io.ErrClosedPipe
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// SetWriteDeadline does nothing: Write sets its own.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// A trimmer reads MQTT packets and passes them on unchanged, but for a PUBLISH
// whose payload is larger than max: that payload is skipped, and a mark and the
// payload's size stand in its place. The mark is random, so that nobody can
// forge one.
type trimmer struct {
	r    *bufio.Reader
	max  int
	mark [16]byte

	begun bool // the broker has answered
	head  [5]byte
	ready []byte // passes on before what follows
	rest  int    // bytes of the packet that pass on as they come
	skip  int    // bytes that are thrown away after that
}

func newTrimmer(r io.Reader, max int) *trimmer {
	t := &trimmer{r: bufio.NewReaderSize(r, 2048), max: max}
	rand.Read(t.mark[:])
	return t
}

var (
	errMalformed = errors.New("malformed packet")
	errForeign   = errors.New("the answer is not MQTT")
)

func (t *trimmer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(t.ready) > 0 {
			n := copy(p, t.ready)
			t.ready = t.ready[n:]
			return n, nil
		}
		if t.rest > 0 {
			n, err := t.r.Read(p[:min(len(p), t.rest)])
			t.rest -= n
			return n, err
		}
		if err := t.next(); err != nil {
			return 0, err
		}
	}
}

// next reads as much of a packet as tells whether it is too large.
//
//	3x        length 1-4   topic length 2   topic   packet id 2 (QoS > 0)   payload
func (t *trimmer) next() error {
	if t.skip > 0 {
		n, err := t.r.Discard(t.skip)
		t.skip -= n
		if err != nil {
			return err
		}
	}
	first, err := t.r.ReadByte()
	if err != nil {
		return err
	}
	if !t.begun && first != 0x20 { // CONNACK
		return errForeign
	}
	t.begun = true
	length, err := readLength(t.r)
	if err != nil {
		return err
	}
	t.ready = appendLength(append(t.head[:0], first), length)
	t.rest = length
	if first>>4 != 3 || length <= t.max {
		return nil
	}
	var size [2]byte
	if _, err := io.ReadFull(t.r, size[:]); err != nil {
		return err
	}
	head := int(binary.BigEndian.Uint16(size[:]))
	if first&0b110 != 0 {
		head += 2
	}
	payload := length - 2 - head
	if payload < 0 {
		return errMalformed
	}
	if payload <= t.max {
		t.ready, t.rest = append(t.ready, size[:]...), length-2
		return nil
	}
	t.ready = appendLength([]byte{first}, 2+head+len(t.mark)+8)
	t.ready = append(t.ready, size[:]...)
	at := len(t.ready)
	t.ready = append(t.ready, make([]byte, head)...)
	if _, err := io.ReadFull(t.r, t.ready[at:]); err != nil {
		return err
	}
	t.ready = append(t.ready, t.mark[:]...)
	t.ready = binary.BigEndian.AppendUint64(t.ready, uint64(payload))
	t.rest, t.skip = 0, payload
	return nil
}

// trimmed says how large a payload was before it was thrown away.
func (t *trimmer) trimmed(payload []byte) (size int, ok bool) {
	if len(payload) != len(t.mark)+8 || [16]byte(payload[:16]) != t.mark {
		return 0, false
	}
	return int(binary.BigEndian.Uint64(payload[16:])), true
}

// readLength reads seven bits a byte, the least significant first, with the
// eighth bit set on all but the last.
func readLength(r io.ByteReader) (int, error) {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, errMalformed
}

func appendLength(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}
