package main_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	main "airplay2mqtt/cmd/bridge"
)

// A paper is what a program writes while a test reads it.
type paper struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// notified is systemd's end: what it hears, in its order.
func notified(t *testing.T) (socket string, heard func(want string) string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "notify") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket = filepath.Join(folder, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Skipf("no sockets of this kind here: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return socket, func(want string) string {
		t.Helper()
		b := make([]byte, 1000)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("%s is not told: %v", want, err)
			}
			if strings.Contains(string(b[:n]), want) {
				return string(b[:n])
			}
		}
	}
}

// hangUp sends SIGHUP to this process, and so to the bridge in it.
func hangUp(t *testing.T) {
	t.Helper()
	us, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = us.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Skipf("no such signal here: %v", err)
	}
}

func TestBridgeAsAService(t *testing.T) {
	t.Chdir(t.TempDir())
	socket, heard := notified(t)
	base := "test-of-the-service-" + filepath.Base(filepath.Dir(socket))
	if err := os.WriteFile("config.yaml", []byte("mqtt: {base_topic: "+base+"}\ndiscovery: {mdns: false}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := here(t, "health", "-within", "300ms"); code != 1 || stderr == "" {
		t.Errorf("health before the bridge runs: got exit %d and %q, want 1 and why", code, stderr)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log paper
	ended := make(chan int, 1)
	go func() {
		environ := []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=400000"}
		ended <- main.Main(ctx, strings.NewReader(""), &log, &log, environ, "run")
	}()
	if got := heard("READY=1"); !strings.Contains(got, "connected to the broker") {
		heard("connected to the broker")
	}
	heard("WATCHDOG=1")
	code, out, stderr := here(t, "health", "-within", "10s")
	if code != 0 || !strings.Contains(out, `"uptime"`) {
		t.Errorf("health: got exit %d, %q and %q, want 0", code, out, stderr)
	}
	for text, want := range map[string]string{
		"limits: {per_device: 5}": "the configuration was read again",
		"data: ./elsewhere":       `keys=["data"]`,
		"limits: {per_device: 0}": "the configuration from before is used on",
		"limits: {per_devise: 1}": `ERR config.yaml:3: unknown key "per_devise"`,
	} {
		if err := os.WriteFile("config.yaml", []byte("mqtt: {base_topic: "+base+"}\ndiscovery: {mdns: false}\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		hangUp(t)
		heard("RELOADING=1")
		heard("READY=1")
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s: the log has no %q: %s", text, want, log.String())
		}
	}
	began := time.Now()
	stop()
	heard("STOPPING=1")
	if code := <-ended; code != 0 {
		t.Errorf("got exit %d: %s", code, log.String())
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v to end, want at most 3s", took)
	}
}
