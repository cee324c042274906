//go:build linux

package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// A ReceiverConfig is what a receiver is like.
type ReceiverConfig struct {
	Name     string
	Port     int          // a free one if 0
	Password string       // none if empty
	Loss     float64      // the share of packets that never arrive, 0 to 1
	Card     *SoundServer // what it plays through, and is not recorded; nil: a pipe
}

// A Receiver is a shairport-sync whose sound card is a Recorder. It hands each
// packet over at the instant at which it is to be heard.
type Receiver struct {
	*Recorder
	Config    ReceiverConfig
	Host      string
	Port      int
	Interface string // ours that leads there
	Metadata  *Metadata

	process *Process
	path    string // of its configuration
	env     []string
}

// A backend buffer of 0 makes packets leave at their play-out time rather than
// a second before. The soxr interpolation, which is not needed, would measure
// the machine for a second and a half at start.
var receiverConfig = template.Must(template.New("").Parse(`general = {
 name = "{{.Config.Name}}"; port = {{.Port}};
{{- if .Config.Password}} password = "{{.Config.Password}}";{{end}}
 udp_port_base = {{.UDP}}; udp_port_range = 100;
 output_backend = "{{if .Config.Card}}pa{{else}}pipe{{end}}"; interpolation = "basic"; ignore_volume_control = "yes";
{{- if not .Config.Card}} audio_backend_buffer_desired_length_in_seconds = 0.0;{{end}}
};
pipe = { name = "{{.Pipe}}"; };
metadata = { enabled = "yes"; include_cover_art = "yes"; pipe_name = "{{.Metadata}}"; };
diagnostics = { statistics = "yes"; log_verbosity = 2; drop_this_fraction_of_audio_packets = {{printf "%.3f" .Config.Loss}}; };
`))

// startReceiver starts a receiver and waits until it takes connections.
func startReceiver(dir string, env []string, cfg ReceiverConfig) (*Receiver, error) {
	port, err := cfg.Port, error(nil)
	if port == 0 {
		port, err = freePort()
	}
	if err != nil {
		return nil, err
	}
	base := filepath.Join(dir, cfg.Name)
	if cfg.Card != nil {
		env = append(slices.Clip(env), cfg.Card.env...)
	}
	r := &Receiver{Config: cfg, Host: "127.0.0.1", Port: port, Interface: "lo", path: base + ".conf", env: env}
	if r.Recorder, err = record(base + ".pcm"); err != nil {
		return nil, err
	}
	if r.Metadata, err = readMetadata(base + ".meta"); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = receiverConfig.Execute(&text, map[string]any{
		"Config": cfg, "Port": port, "UDP": 6000 + port%50000, "Pipe": base + ".pcm", "Metadata": base + ".meta",
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(r.path, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	return r, r.run()
}

// Receiver starts one more receiver, which ends with the test.
func (h *House) Receiver(t testing.TB, cfg ReceiverConfig) *Receiver {
	t.Helper()
	r, err := startReceiver(h.tempDir(t), h.env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.process.Kill() })
	return r
}

func (r *Receiver) run() (err error) {
	if r.process, err = start(nil, r.env, "shairport-sync", "-c", r.path); err != nil {
		return err
	}
	return r.process.until("it takes connections", r.answers)
}

func (r *Receiver) answers() bool {
	c, err := net.DialTimeout("tcp", r.Address(), time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// Address is its host and port.
func (r *Receiver) Address() string { return net.JoinHostPort(r.Host, strconv.Itoa(r.Port)) }

// Log is what the receiver says.
func (r *Receiver) Log() *Output { return r.process.Output }

// Device is how a configuration names it, with its password if it has one.
func (r *Receiver) Device() Device {
	return Device{Name: r.Config.Name, Host: r.Host, Port: r.Port, Password: r.Config.Password}
}

// Vanish ends the receiver without a goodbye. It comes back with Return, or
// when the test is over.
func (r *Receiver) Vanish(t testing.TB) {
	t.Helper()
	r.process.Kill()
	t.Cleanup(func() { r.Return(t) })
}

// Freeze stops the receiver where it is: it answers nothing, and nobody is told.
// Vanish ends it, and Return brings it back.
func (r *Receiver) Freeze(t testing.TB) {
	t.Helper()
	if err := r.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// Return starts the receiver again, unless it is there.
func (r *Receiver) Return(t testing.TB) {
	t.Helper()
	select {
	case <-r.process.Done():
		if err := r.run(); err != nil {
			t.Error(err)
		}
	default:
	}
}

// Silent waits until nothing but silence has come out for a while, and returns
// when the last sound did.
func (r *Receiver) Silent(t testing.TB, ear *Ear, while time.Duration) time.Time {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if at, ok := ear.LastLoud(); ok && time.Since(at) > while {
			return at
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s was not silent for %v within %v", r.Config.Name, while, patience)
	return time.Time{}
}

// ClosedPort is the number of a TCP port at which nobody listens.
func ClosedPort() (string, error) {
	port, err := freePort()
	return strconv.Itoa(port), err
}

// freePort is a TCP port that nobody has now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("interop: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
