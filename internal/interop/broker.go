//go:build linux

package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"text/template"
)

// A BrokerConfig is how a broker lets clients in: everybody, if it is empty.
type BrokerConfig struct {
	Username, Password string
	TLS                bool // with a certificate of an authority of its own
}

// A Broker is a mosquitto. It keeps nothing on disk: what was retained is
// forgotten when it ends.
type Broker struct {
	Config BrokerConfig
	Port   int
	CAFile string // who signed its certificate, with TLS

	process *Process
	dir     string
}

// Without nodelay mosquitto holds a message back for up to 40 ms when another
// one went before it, and we would measure that.
var brokerConfig = template.Must(template.New("").Parse(`per_listener_settings true
persistence false
log_dest stderr
user root
set_tcp_nodelay true
listener {{.Port}} 127.0.0.1
{{if .Config.Username}}allow_anonymous false
password_file {{.Dir}}/passwords
{{else}}allow_anonymous true
{{end}}{{if .Config.TLS}}certfile {{.Dir}}/broker.crt
keyfile {{.Dir}}/broker.key
{{end}}`))

// Broker starts a broker that ends with the test.
func (h *House) Broker(t testing.TB, cfg BrokerConfig) *Broker {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{Config: cfg, Port: port, dir: h.tempDir(t)}
	if err := b.prepare(); err != nil {
		t.Fatal(err)
	}
	b.Start(t)
	t.Cleanup(b.Kill)
	return b
}

// prepare writes what mosquitto reads.
func (b *Broker) prepare() error {
	var text bytes.Buffer
	err := brokerConfig.Execute(&text, map[string]any{"Config": b.Config, "Port": b.Port, "Dir": b.dir})
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.file("mosquitto.conf"), text.Bytes(), 0o600); err != nil {
		return err
	}
	if b.Config.TLS {
		b.CAFile = b.file("ca.crt")
		if err := writeCertificates(b.dir); err != nil {
			return err
		}
	}
	if b.Config.Username == "" {
		return nil
	}
	cmd := exec.Command("mosquitto_passwd", "-c", "-b", b.file("passwords"), b.Config.Username, b.Config.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("interop: mosquitto_passwd: %w: %s", err, out)
	}
	return nil
}

// Start starts the broker, again after Kill, and waits until it takes
// connections.
func (b *Broker) Start(t testing.TB) {
	t.Helper()
	var err error
	if b.process, err = start(nil, nil, "mosquitto", "-c", b.file("mosquitto.conf")); err != nil {
		t.Fatal(err)
	}
	err = b.process.until("it takes connections", func() bool {
		c, err := net.Dial("tcp", b.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Kill ends the broker without a goodbye.
func (b *Broker) Kill() { b.process.Kill() }

// URL is how a bridge is told of the broker.
func (b *Broker) URL() string {
	if b.Config.TLS {
		return "mqtts://" + b.address()
	}
	return "mqtt://" + b.address()
}

// Shell publishes with mosquitto_pub, as a person would.
func (b *Broker) Shell(t testing.TB, args ...string) {
	t.Helper()
	args = append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(b.Port)}, args...)
	if out, err := exec.Command("mosquitto_pub", args...).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub %q: %v: %s", args, err, out)
	}
}

func (b *Broker) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.Port)) }

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

// tempDir is a folder that is removed after the test, with a path short enough
// for sockets.
func (h *House) tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(h.dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
