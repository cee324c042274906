package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

// mosquitto starts the real broker on a port, and returns how to kill it.
func mosquitto(t *testing.T, conf string, ports ...int) (kill func()) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	if err != nil {
		const why = "mosquitto is not installed (apt-get install mosquitto)"
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	kill = func() { cmd.Process.Kill(); <-ended }
	t.Cleanup(kill)
	for _, port := range ports {
		eventually(t, "mosquitto", func() bool {
			select {
			case <-ended:
				t.Fatal("mosquitto ended")
			default:
			}
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
	return kill
}

// freePort is a port that nobody has now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestMosquittoKilledAndStartedAgain(t *testing.T) {
	port := freePort(t)
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\n", port)
	kill := mosquitto(t, conf, port)

	var commands ear
	calls := 0
	will := kept("home/state", "offline")
	var c *mqtt.Client
	_, stop := run(t, mqtt.Config{
		Server: fmt.Sprintf("mqtt://127.0.0.1:%d", port), Will: &will,
		Goodbye: []mqtt.Message{kept("home/state", "gone")},
		OnConnect: func(ctx context.Context) {
			calls++
			for i := range 50 {
				c.Post(ctx, kept(fmt.Sprintf("home/n/%d", i), fmt.Sprint(calls)))
			}
			c.Listen(ctx)
			c.Publish(ctx, kept("home/state", "online"))
		},
	}, func(made *mqtt.Client) {
		c = made
		c.Handle("do/+", commands.handle)
	})
	connected(t, c)

	for round := range 3 {
		var held ear
		eventually(t, "all that is retained", func() bool {
			held = ear{}
			watch, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			return c.Watch(watch, "home/#", held.handle) == nil && len(held.heard) == 51
		})
		for _, m := range held.heard {
			if m.Topic != "home/state" && string(m.Payload) != fmt.Sprint(round+1) {
				t.Errorf("%s holds %s, want %d", m.Topic, m.Payload, round+1)
			}
		}
		publish(t, c, text("do/it", "now"))
		eventually(t, "a command", func() bool { return commands.said() == "do/it=now" })
		if round == 2 {
			break
		}
		kill()
		eventually(t, "the end of the connection", func() bool { return !c.Connected() })
		kill = mosquitto(t, conf, port)
		back := time.Now()
		connected(t, c)
		t.Logf("connected again %v after mosquitto was", time.Since(back).Round(time.Millisecond))
		if took := time.Since(back); took > 4*time.Second {
			t.Errorf("connected again after %v", took)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	late, _ := run(t, mqtt.Config{Server: fmt.Sprintf("127.0.0.1:%d", port)}, func(c *mqtt.Client) { c.Handle("home/state", commands.handle) })
	connected(t, late)
	eventually(t, "the goodbye", func() bool { return commands.said() == "home/stater=gone" })
}

func TestMosquittoWithPasswordAndRules(t *testing.T) {
	if _, err := exec.LookPath("mosquitto_passwd"); err != nil {
		mosquitto(t, "listener 0 127.0.0.1\n") // skips or fails
		t.Fatal("mosquitto is here without mosquitto_passwd")
	}
	dir, port := t.TempDir(), freePort(t)
	words := filepath.Join(dir, "words")
	if out, err := exec.Command("mosquitto_passwd", "-c", "-b", words, "house", "right").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v: %s", err, out)
	}
	os.Chmod(words, 0o644) // mosquitto gives up root before it reads
	os.Chmod(dir, 0o755)
	os.Chmod(filepath.Dir(dir), 0o755)
	mosquitto(t, fmt.Sprintf("listener %d 127.0.0.1\npassword_file %s\n", port, words), port)
	server := fmt.Sprintf("127.0.0.1:%d", port)

	warned(t, mqtt.Config{Server: server, Username: "house", Password: "wrong"}, "user name and password")
	warned(t, mqtt.Config{Server: server}, "user name and password")
	c, _ := run(t, mqtt.Config{Server: server, Username: "house", Password: "right"}, nil)
	connected(t, c)
	publish(t, c, text("a", "b"))
}

func TestMosquittoOverWebSockets(t *testing.T) {
	port, other := freePort(t), freePort(t)
	// mosquitto 2.0.11 does not start with a listener for WebSockets alone.
	mosquitto(t, fmt.Sprintf("listener %d 127.0.0.1\nlistener %d 127.0.0.1\nprotocol websockets\nallow_anonymous true\n", other, port), other, port)
	var e ear
	c, stop := run(t, mqtt.Config{Server: fmt.Sprintf("ws://127.0.0.1:%d", port)}, func(c *mqtt.Client) { c.Handle("a/+", e.handle) })
	connected(t, c)
	if err := c.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Small ones: mosquitto 2.0.11 loses its way in what it sends over WebSockets
	// when many messages of more than a few kB follow each other, whoever listens.
	for i := range 100 {
		if err := c.Post(t.Context(), mqtt.Message{Topic: "a/b", Payload: make([]byte, i*10), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "100 echoes", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.heard) == 100
	})
	for i, m := range e.heard {
		if len(m.Payload) != i*10 {
			t.Errorf("echo %d has %d bytes, want %d", i, len(m.Payload), i*10)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}
