package mqtt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"airplay2mqtt/bridge/mqtt"
)

func TestServersAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"mqtt://10.0.0.1":             "10.0.0.1:1883",
		"10.0.0.1":                    "10.0.0.1:1883",
		"nas.local:1884":              "nas.local:1884",
		"tcp://nas":                   "nas:1883",
		"MQTTS://nas":                 "nas:8883",
		"ssl://nas:1":                 "nas:1",
		"tls://[fe80::1%25eth0]:8884": "[fe80::1%eth0]:8884",
		"mqtt://[::1]/":               "[::1]:1883",
		"ws://nas":                    "nas:80",
		"wss://u:p@nas/path":          "nas:443",
	} {
		c, err := mqtt.New(mqtt.Config{Server: text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.Address(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestBadServersAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "empty",
		"http://nas":             "none of mqtt",
		"mqtt://":                "no host",
		"mqtt://:1883":           "no host",
		"mqtt://nas:0":           "port",
		"mqtt://nas:65536":       "port",
		"mqtt://nas:x":           "port",
		"fe80::1:2":              "",
		"mqtt://nas/path":        "path",
		"mqtt://nas?x=1":         "no ?",
		"mqtt://u:secret@nas:x":  "port",
		"mqtt://u:secret@[nas":   "",
		"mqtt://u:sec%zzret@nas": "",
	} {
		_, err := mqtt.New(mqtt.Config{Server: text})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something with %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the password is in the error: %v", text, err)
		}
	}
	for _, cfg := range []mqtt.Config{
		{Server: "nas", Password: "x"},
		{Server: "nas", Will: &mqtt.Message{Topic: "a/#"}},
		{Server: "nas", Goodbye: []mqtt.Message{{}}},
	} {
		if _, err := mqtt.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func FuzzServer(f *testing.F) {
	f.Add("mqtt://u:p@nas:1883/x")
	f.Add("[::1]:1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := mqtt.New(mqtt.Config{Server: text})
		if err == nil && c.Address() == "" {
			t.Errorf("%q: no address", text)
		}
	})
}

func TestTLSWithAnAuthorityOfOnesOwn(t *testing.T) {
	server, trust := authority(t)
	b := startBroker(t, mqtt.BrokerConfig{Address: "127.0.0.1:0", TLS: server})
	url := "mqtts://" + b.Addr().String()

	c, _ := run(t, mqtt.Config{Server: url, TLS: trust}, nil)
	connected(t, c)
	publish(t, c, text("a", "b"))

	for name, tt := range map[string]struct {
		server string
		tls    *tls.Config
		want   string
	}{
		"unknown authority": {url, nil, "authority"},
		"another name":      {url, &tls.Config{RootCAs: trust.RootCAs, ServerName: "nas"}, "another name"},
		"plain to TLS port": {"mqtt://" + b.Addr().String(), nil, "hangs up"},
	} {
		t.Run(name, func(t *testing.T) {
			warned(t, mqtt.Config{Server: tt.server, TLS: tt.tls}, tt.want)
		})
	}
}

func TestTLSToAPlainPortIsExplained(t *testing.T) {
	// A server that answers TLS with something else at once.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	warned(t, mqtt.Config{Server: "mqtts://" + l.Addr().String()}, "does not speak TLS")
}

func TestWebSockets(t *testing.T) {
	b := startBroker(t, mqtt.BrokerConfig{})
	web := websocket.Server{
		Handshake: func(cfg *websocket.Config, _ *http.Request) error { cfg.Protocol = []string{"mqtt"}; return nil },
		Handler: func(ws *websocket.Conn) {
			ws.PayloadType = websocket.BinaryFrame
			conn := b.Pipe()
			go func() { io.Copy(ws, conn); ws.Close() }()
			io.Copy(conn, ws)
			conn.Close()
		},
	}
	for scheme, start := range map[string]func(*httptest.Server){
		"ws": (*httptest.Server).Start, "wss": (*httptest.Server).StartTLS,
	} {
		t.Run(scheme, func(t *testing.T) {
			s := httptest.NewUnstartedServer(web)
			start(s)
			t.Cleanup(s.Close)
			trust := &tls.Config{RootCAs: x509.NewCertPool()}
			if s.Certificate() != nil {
				trust.RootCAs.AddCert(s.Certificate())
			}
			var e ear
			c, stop := run(t, mqtt.Config{Server: scheme + "://" + s.Listener.Addr().String(), TLS: trust},
				func(c *mqtt.Client) { c.Handle("a/+", e.handle) })
			connected(t, c)
			if err := c.Listen(t.Context()); err != nil {
				t.Fatal(err)
			}
			publish(t, c, text("a/b", strings.Repeat("x", 100_000)))
			eventually(t, "an echo", func() bool { return len(e.said()) > 100_000 })
			if err := stop(); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

func TestAWebServerThatIsNoBrokerIsExplained(t *testing.T) {
	s := httptest.NewServer(nil)
	t.Cleanup(s.Close)
	warned(t, mqtt.Config{Server: "ws://" + s.Listener.Addr().String()}, "web server")
}

func TestRunEndsAtOnceWhileItDials(t *testing.T) {
	// Takes connections and never says a word.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, scheme := range []string{"mqtt", "mqtts", "ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			c, err := mqtt.New(mqtt.Config{Server: scheme + "://" + l.Addr().String()})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := c.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// warned runs a client that cannot connect, and looks for what it advises.
func warned(t *testing.T, cfg mqtt.Config, want string) {
	t.Helper()
	var log diary
	cfg.Logger = log.logger()
	run(t, cfg, nil)
	eventually(t, "a warning", func() bool { return len(log.entries(t, "warn")) > 0 })
	if got := log.entries(t, "warn")[0]; !strings.Contains(got.Hint, want) {
		t.Errorf("advised %+v, want something with %q", got, want)
	}
}

// authority returns what a broker on 127.0.0.1 needs, and what its clients do.
func authority(t *testing.T) (server, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the house"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(signed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool}
}
