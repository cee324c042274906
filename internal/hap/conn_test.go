package hap_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"airplay2mqtt/internal/hap"
)

// A wire is a connection of which only the bytes matter.
type wire struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (w *wire) Read(b []byte) (int, error)       { return w.in.Read(b) }
func (w *wire) Write(b []byte) (int, error)      { return w.out.Write(b) }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func vectorKeys(t testing.TB) (hap.Keys, map[string][]byte) {
	v := vectors(t, "transient_3939")
	return hap.Keys{Secret: v["K"]}, v
}

func TestFramesAreAsInTheVector(t *testing.T) {
	keys, v := vectorKeys(t)
	w := &wire{}
	c := hap.NewConn(w)
	c.Encrypt(keys.Control())
	for range 2 {
		if n, err := c.Write(v["frame0_plain"]); err != nil || n != len(v["frame0_plain"]) {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if want := append(bytes.Clone(v["frame0"]), v["frame1"]...); !bytes.Equal(w.out.Bytes(), want) {
		t.Errorf("got %x, want %x", w.out.Bytes(), want)
	}
}

// reader is a connection on which the other side said bytes.
func reader(keys hap.Keys, in io.Reader) *hap.Conn {
	c := hap.NewConn(&wire{in: in})
	c.Encrypt(keys.Control().Reverse())
	return c
}

func TestLongMessagesAreManyFrames(t *testing.T) {
	keys, _ := vectorKeys(t)
	w := &wire{}
	c := hap.NewConn(w)
	c.Encrypt(keys.Control())
	message := bytes.Repeat([]byte("sound "), 1000)
	if _, err := c.Write(message); err != nil {
		t.Fatal(err)
	}
	if got, want := w.out.Len(), 6000+6*18; got != want {
		t.Errorf("got %d bytes on the wire, want %d", got, want)
	}
	for name, in := range map[string]io.Reader{"whole": bytes.NewReader(w.out.Bytes()), "in drops": drops{bytes.NewReader(w.out.Bytes())}} {
		if got, err := io.ReadAll(reader(keys, in)); err != nil || !bytes.Equal(got, message) {
			t.Errorf("%s: got %d bytes, %v, want the message", name, len(got), err)
		}
	}
}

type drops struct{ io.Reader }

func (d drops) Read(b []byte) (int, error) { return d.Reader.Read(b[:1]) }

func TestFramesThatAreNotForThisMomentAreRefused(t *testing.T) {
	keys, v := vectorKeys(t)
	bad := bytes.Clone(v["frame0"])
	bad[len(bad)-1] ^= 1
	length := bytes.Clone(v["frame0"])
	length[0]--
	for name, in := range map[string][]byte{
		"a bad tag":      bad,
		"a replay":       append(bytes.Clone(v["frame0"]), v["frame0"]...),
		"a later one":    v["frame1"],
		"another length": length,
	} {
		c := reader(keys, bytes.NewReader(in))
		_, err := io.ReadAll(c)
		if !errors.Is(err, hap.ErrFrame) {
			t.Errorf("%s: got %v, want ErrFrame", name, err)
		}
		if _, err := c.Read(make([]byte, 8)); !errors.Is(err, hap.ErrFrame) {
			t.Errorf("%s: read again after it: got %v", name, err)
		}
	}
	if _, err := io.ReadAll(reader(keys, bytes.NewReader(v["frame0"][:20]))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a frame: got %v", err)
	}
}

func TestEncryptionBeginsWhileSomebodyReads(t *testing.T) {
	keys, v := vectorKeys(t)
	near, far := net.Pipe()
	defer far.Close()
	c := hap.NewConn(near)
	defer c.Close()
	heard := make(chan string)
	go func() {
		b := make([]byte, 100)
		for range 2 {
			n, _ := c.Read(b)
			heard <- string(b[:n])
		}
	}()
	far.Write([]byte("plain"))
	if got := <-heard; got != "plain" {
		t.Fatalf("got %q", got)
	}
	c.Encrypt(keys.Control().Reverse()) // the reader waits already, or does soon
	far.Write(v["frame0"])
	if got := <-heard; got != string(v["frame0_plain"]) {
		t.Errorf("got %q, want %q", got, v["frame0_plain"])
	}
}

func TestAFrameThatWasNotWrittenIsNotMended(t *testing.T) {
	keys, _ := vectorKeys(t)
	near, far := net.Pipe()
	far.Close()
	c := hap.NewConn(near)
	c.Encrypt(keys.Control())
	for range 2 {
		if n, err := c.Write([]byte("x")); err == nil || n != 0 {
			t.Errorf("got %d, %v, want an error", n, err)
		}
	}
}

func TestFramesCostNoMemory(t *testing.T) {
	keys, _ := vectorKeys(t)
	w := &wire{in: nothing{}}
	c := hap.NewConn(w)
	c.Encrypt(keys.Control())
	message := make([]byte, 1500)
	if got := testing.AllocsPerRun(100, func() { w.out.Reset(); c.Write(message) }); got > 0 {
		t.Errorf("a message allocates %v times, want 0", got)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

func FuzzConn(f *testing.F) {
	keys, v := vectorKeys(f)
	f.Add(v["frame0"])
	f.Add(append(bytes.Clone(v["frame0"]), v["frame1"]...))
	f.Add([]byte{0, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 70_000))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := io.ReadAll(reader(keys, bytes.NewReader(in)))
		if len(got) > len(in) {
			t.Errorf("got %d bytes of %d", len(got), len(in))
		}
		if len(in) > 0 && err == nil && !bytes.HasPrefix(in, v["frame0"]) {
			t.Errorf("took %x", in)
		}
	})
}
