package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/internal/memnet"
)

// pair connects two hosts by a stream.
func pair(t *testing.T, lan *memnet.Net) (near, far net.Conn) {
	t.Helper()
	l, err := lan.Host("10.0.0.2").Listen("tcp", ":5000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = lan.Host("10.0.0.1").DialContext(t.Context(), "tcp", "10.0.0.2:5000")
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

func TestStreamCarriesBytesAfterItsLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		lan.Latency = 5 * time.Millisecond
		near, far := pair(t, lan)
		begun := time.Now()
		go func() {
			near.Write([]byte("hello"))
			near.Close()
		}()
		got, err := io.ReadAll(far)
		if err != nil || string(got) != "hello" {
			t.Errorf("got %q, %v, want hello", got, err)
		}
		if took := time.Since(begun); took != lan.Latency {
			t.Errorf("took %v, want %v", took, lan.Latency)
		}
		if got, want := far.RemoteAddr().String(), near.LocalAddr().String(); got != want {
			t.Errorf("remote address: got %s, want %s", got, want)
		}
	})
}

func TestReadEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := pair(t, memnet.New())
		near.SetReadDeadline(time.Now().Add(time.Second))
		_, err := near.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v, want a timeout", err)
		}
		near.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			near.Close()
		}()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	})
}

func TestWriteWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, memnet.New())
		near.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := near.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 1<<20 {
			t.Fatalf("got %d, %v, want a part and os.ErrDeadlineExceeded", n, err)
		}
		near.SetWriteDeadline(time.Time{})
		go func() {
			near.Write(make([]byte, 1<<20))
			near.Close()
		}()
		all, err := io.ReadAll(far)
		if err != nil || len(all) != n+1<<20 {
			t.Errorf("got %d bytes, %v, want %d", len(all), err, n+1<<20)
		}
	})
}

func TestResetIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, memnet.New())
		far.Write([]byte("lost"))
		far.(interface{ SetLinger(int) error }).SetLinger(0)
		far.Close()
		if _, err := near.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: got %v, want ECONNRESET", err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write: got %v, want EPIPE", err)
		}
	})
}

func TestDialRefusedAndUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		lan.Host("10.0.0.2")
		h := lan.Host("10.0.0.1")
		if _, err := h.DialContext(t.Context(), "tcp", "10.0.0.2:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want ECONNREFUSED", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.DialContext(ctx, "tcp", "10.0.0.9:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		var dns *net.DNSError
		if _, err := h.DialContext(t.Context(), "tcp", "kitchen.local:1"); !errors.As(err, &dns) {
			t.Errorf("got %v, want a *net.DNSError", err)
		}
	})
}

func TestUnpluggedHostIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		near, far := pair(t, lan)
		lan.Host("10.0.0.2").Unplug()
		far.Write([]byte("later"))
		near.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := near.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v, want os.ErrDeadlineExceeded", err)
		}
		near.SetReadDeadline(time.Time{})
		lan.Host("10.0.0.2").Plug()
		b := make([]byte, 9)
		if n, err := near.Read(b); err != nil || string(b[:n]) != "later" {
			t.Errorf("got %q, %v, want later", b[:n], err)
		}
	})
}

func TestDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		lan.Latency = time.Millisecond
		count := 0
		lan.Lose = func(from, to netip.AddrPort, b []byte) bool {
			count++
			return count == 2
		}
		rx, err := lan.Host("10.0.0.2").ListenPacket("udp", ":6000")
		if err != nil {
			t.Fatal(err)
		}
		tx, err := lan.Host("10.0.0.1").DialContext(t.Context(), "udp", "10.0.0.2:6000")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []string{"one", "two", "three"} {
			if _, err := tx.Write([]byte(b)); err != nil {
				t.Fatal(err)
			}
		}
		b := make([]byte, 9)
		for _, want := range []string{"one", "three"} {
			n, from, err := rx.ReadFrom(b)
			if err != nil || string(b[:n]) != want || from.String() != tx.LocalAddr().String() {
				t.Fatalf("got %q from %v, %v, want %s from %v", b[:n], from, err, want, tx.LocalAddr())
			}
		}
		if _, err := rx.WriteTo([]byte("back"), tx.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if n, err := tx.Read(b); err != nil || string(b[:n]) != "back" {
			t.Errorf("got %q, %v, want back", b[:n], err)
		}
		rx.Close()
		tx.Write([]byte("nobody"))
		if _, err := tx.Write([]byte("nobody")); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want ECONNREFUSED", err)
		}
		if err := tx.Close(); err != nil {
			t.Error(err)
		}
		if err := tx.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	})
}

func TestPortsAreFreeAgainAfterClose(t *testing.T) {
	h := memnet.New().Host("10.0.0.1")
	for range 2 {
		l, err := h.Listen("tcp", ":5000")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Listen("tcp", ":5000"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("got %v, want EADDRINUSE", err)
		}
		l.Close()
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	}
}
