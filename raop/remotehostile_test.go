package raop_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/raop/raoptest"
)

// call connects to the server from some host.
func (h *remoteHouse) call(from string) net.Conn {
	h.Helper()
	conn, err := h.lan.Host(from).DialContext(h.Context(), "tcp", buttons)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { conn.Close() })
	return conn
}

// raw sends bytes and returns the status of the answer, or what came instead.
func (h *remoteHouse) raw(from, bytes string) string {
	h.Helper()
	conn := h.call(from)
	defer conn.Close()
	if _, err := io.WriteString(conn, bytes); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.Fields(line)[1]
}

// receiver2 starts one more receiver at an address that has one.
func (h *house) receiver2(addr string, cfg raoptest.Config) *raoptest.Receiver {
	h.Helper()
	cfg.Network, cfg.Address = h.lan.Host(addr), ":5001"
	rx, err := raoptest.New(cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { rx.Close() })
	return rx
}

func TestServerBearsNonsense(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		for _, c := range []struct{ name, bytes, want string }{
			{"no HTTP", "hello\r\n\r\n", "400"},
			{"RTSP", "OPTIONS * RTSP/1.0\r\n\r\n", "400"},
			{"another method", "DELETE /ctrl-int/1/play HTTP/1.1\r\n\r\n", "405"},
			{"a line without end", "GET /" + strings.Repeat("a", 4000) + " HTTP/1.1\r\n\r\n", "400"},
			{"a header without end", "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 60) + "\r\n", "400"},
			{"a huge body", "POST /ctrl-int/1/play HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", "400"},
			{"a negative body", "POST /ctrl-int/1/play HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
			{"a body in pieces", "POST /ctrl-int/1/play HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
			{"a bad escape", "GET /%zz HTTP/1.1\r\n\r\n", "400"},
			{"the root", "GET / HTTP/1.1\r\n\r\n", "404"},
			{"a whole URL", "GET http://10.0.0.1/ctrl-int/1/nextitem HTTP/1.1\r\n\r\n", "204"},
		} {
			if got := h.raw("10.0.0.20", c.bytes); got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
		}
		h.heard("next")
	})
}

func TestSlowAndManyCallersDoNotKeepOthersOut(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		var conns []net.Conn
		for range 20 {
			conn := h.call("10.0.0.66")
			io.WriteString(conn, "GET /ctrl")
			conns = append(conns, conn)
		}
		h.press("nextitem", 204)
		time.Sleep(6 * time.Second)
		for _, conn := range conns {
			conn.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("who says nothing is not hung up on: %v", err)
			}
		}
		h.heard("next")
	})
}

func TestOneConnectionMayCarryManyCommands(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		conn := h.call("10.0.0.20")
		br := bufio.NewReader(conn)
		for range 3 {
			io.WriteString(conn, "POST /ctrl-int/1/volumeup HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
			for {
				line, err := br.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if line == "\r\n" {
					break
				}
			}
		}
		h.heard("volume_up", "volume_up", "volume_up")
	})
}
