package mqtt_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

func TestABrokerThatIsAbsentIsSaidOnceAndThenEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		h.off()
		var log diary
		var tried atomic.Int64
		c, _ := run(t, mqtt.Config{Logger: log.logger(), Dial: func(ctx context.Context) (net.Conn, error) {
			tried.Add(1)
			return h.dial(ctx)
		}}, nil)
		time.Sleep(50 * time.Second)
		if got := len(log.entries(t, "warn")); got != 1 {
			t.Errorf("%d warnings in 50 s, want 1", got)
		}
		time.Sleep(10 * time.Minute)
		if got := len(log.entries(t, "warn")); got < 8 || got > 11 {
			t.Errorf("%d warnings in 10 min 50 s, want one a minute", got)
		}
		tries := int(tried.Load())
		// 0.25 to 4 s for two minutes, then up to 30 s.
		if tries < 45 || tries > 75 {
			t.Errorf("%d tries in 10 min 50 s", tries)
		}
		h.on()
		time.Sleep(31 * time.Second)
		if !c.Connected() {
			t.Fatal("not connected within 31 s")
		}
		info := log.entries(t, "info")
		if len(info) != 1 || !strings.Contains(info[0].Message, "recovered") || info[0].Tries != int(tried.Load()) {
			t.Errorf("said %+v, want that it recovered after %d tries", info, tried.Load())
		}
	})
}

func TestAShortOutageEndsSoon(t *testing.T) {
	for _, off := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, mqtt.BrokerConfig{})
				c, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
				time.Sleep(time.Hour)
				h.off()
				time.Sleep(off)
				h.on()
				back := time.Now()
				for !c.Connected() {
					time.Sleep(50 * time.Millisecond)
				}
				if took := time.Since(back); took > 4*time.Second {
					t.Errorf("connected again after %v", took)
				}
			})
		})
	}
}

func TestAWrongPasswordIsSaidAndTriedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{Username: "house", Password: "right"})
		var log diary
		var tried atomic.Int64
		c, _ := run(t, mqtt.Config{Username: "house", Password: "wrong", Logger: log.logger(),
			Dial: func(ctx context.Context) (net.Conn, error) { tried.Add(1); return h.dial(ctx) }}, nil)
		time.Sleep(5 * time.Minute)
		if c.Connected() {
			t.Error("the wrong password was let in")
		}
		if tries := tried.Load(); tries < 10 || tries > 15 {
			t.Errorf("%d tries in five minutes, want about one every 30 s", tries)
		}
		warnings := log.entries(t, "warn")
		if len(warnings) == 0 || warnings[0].Error != "the broker refuses user name or password" {
			t.Errorf("said %+v", warnings)
		}
		if strings.Contains(log.text(), "wrong") {
			t.Error("the password is in the log")
		}
	})
}

func TestTheRightPasswordIsLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{Username: "house", Password: "right"})
		c, _ := run(t, mqtt.Config{Server: "mqtt://house:right@10.0.0.1", Dial: h.dial}, nil)
		synctest.Wait()
		if !c.Connected() {
			t.Error("not connected")
		}
	})
}

func TestTwoClientsWithOneIDAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		var log diary
		run(t, mqtt.Config{Dial: h.dial, ClientID: "twin", Logger: log.logger()}, nil)
		time.Sleep(time.Hour)
		_, stop := run(t, mqtt.Config{Dial: h.dial, ClientID: "twin"}, nil)
		time.Sleep(10 * time.Minute)
		told := 0
		for _, e := range log.entries(t, "warn") {
			if strings.Contains(e.Hint, "client id") {
				told++
			}
		}
		if told < 1 || told > 11 {
			t.Errorf("told %d times in ten minutes, want about one a minute", told)
		}
		if got := len(log.entries(t, "info")); got > 5 {
			t.Errorf("%d connections at info, want few", got)
		}
		stop()
		time.Sleep(time.Minute)
		before := len(log.text())
		time.Sleep(10 * time.Minute)
		if got := log.text()[before:]; got != "" {
			t.Errorf("said %s after the twin had gone", got)
		}
	})
}

func TestAdviceFitsTheTrouble(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "nothing listens"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "brokre"}}, "name is not known"},
		{fmt.Errorf("dial: %w", syscall.EHOSTUNREACH), "no way"},
		{context.DeadlineExceeded, "nobody answers"},
		{x509.UnknownAuthorityError{}, "authority"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, "another name"},
		{x509.CertificateInvalidError{Reason: x509.Expired}, "not valid"},
		{errors.New("remote error: tls: certificate required"), "certificate of ours"},
		{io.EOF, "hangs up"},
		{errors.New("odd"), "check the address"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log diary
			run(t, mqtt.Config{Logger: log.logger(), Dial: func(context.Context) (net.Conn, error) { return nil, tt.err }}, nil)
			synctest.Wait()
			got := log.entries(t, "warn")
			if len(got) != 1 || !strings.Contains(got[0].Hint, tt.want) {
				t.Errorf("%v: advised %+v, want something with %q", tt.err, got, tt.want)
			}
		})
	}
}

func TestWhatIsNoBrokerIsRecognised(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   string
	}{
		"web server": {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "no MQTT broker"},
		"silence":    {"", "hangs up"},
		"suback":     {"\x90\x03\x00\x01\x00", "no MQTT broker"},
		"not ready":  {"\x20\x02\x00\x03", "wait for the broker"},
		"id":         {"\x20\x02\x00\x02", "another client id"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log diary
				run(t, mqtt.Config{Logger: log.logger(), Dial: func(context.Context) (net.Conn, error) {
					near, far := mqtt.Pipe()
					go func() {
						far.Read(make([]byte, 1000))
						io.WriteString(far, tt.answer)
						far.Close()
					}()
					return near, nil
				}}, nil)
				time.Sleep(11 * time.Second)
				got := log.entries(t, "warn")
				if len(got) == 0 || !strings.Contains(got[0].Hint, tt.want) {
					t.Errorf("advised %+v, want something with %q", got, tt.want)
				}
			})
		})
	}
}
