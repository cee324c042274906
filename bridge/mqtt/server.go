package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/websocket"
)

// A server is where the broker is and how to speak with it.
type server struct {
	host, port         string
	secure             bool   // TLS
	web                bool   // WebSocket
	path               string // of the WebSocket
	username, password string // what the text held, if it held any
}

func (s server) address() string { return net.JoinHostPort(s.host, s.port) }

// schemes maps what people write to what is meant.
var schemes = map[string]server{
	"mqtt":  {port: "1883"},
	"tcp":   {port: "1883"},
	"mqtts": {port: "8883", secure: true},
	"ssl":   {port: "8883", secure: true},
	"tls":   {port: "8883", secure: true},
	"ws":    {port: "80", web: true},
	"wss":   {port: "443", web: true, secure: true},
}

// parseServer reads scheme://host:port; scheme and port may be left out. Its
// errors never repeat the text, which may hold a password.
func parseServer(text string) (server, error) {
	if text == "" {
		return server{}, errors.New("server: is empty; write mqtt://host, mqtts://host, ws://host or wss://host")
	}
	if !strings.Contains(text, "://") {
		text = "mqtt://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the text
		}
		return server{}, fmt.Errorf("server: not a URL: %w", err)
	}
	s, ok := schemes[strings.ToLower(u.Scheme)]
	if !ok {
		return server{}, fmt.Errorf("server: scheme %q is none of mqtt, mqtts, tcp, ssl, tls, ws, wss", u.Scheme)
	}
	return s.fill(u)
}

func (s server) fill(u *url.URL) (server, error) {
	s.host = u.Hostname()
	if s.host == "" {
		return server{}, errors.New("server: names no host")
	}
	if strings.Contains(s.host, ":") && !strings.HasPrefix(u.Host, "[") {
		return server{}, fmt.Errorf("server: an IPv6 address needs brackets: [%s]", s.host)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return server{}, fmt.Errorf("server: port %s is not between 1 and 65535", p)
		}
		s.port = p
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return server{}, errors.New("server: takes no ? and no #")
	}
	switch {
	case s.web && u.Path == "":
		s.path = "/mqtt" // what brokers' manuals agree on
	case s.web:
		s.path = u.EscapedPath()
	case u.Path != "" && u.Path != "/":
		return server{}, fmt.Errorf("server: the path %s is for ws:// and wss:// only", u.Path)
	}
	s.username = u.User.Username()
	s.password, _ = u.User.Password()
	return s, nil
}

// dial opens what packets are written to. ctx bounds the opening.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	raw, err := c.dialRaw(ctx)
	if err != nil {
		return nil, err
	}
	// The handshakes below know no ctx; they end when what they read from does.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, err := c.dress(ctx, raw)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return conn, nil
}

func (c *Client) dialRaw(ctx context.Context) (net.Conn, error) {
	if c.cfg.Dial != nil {
		return c.cfg.Dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", c.server.address())
}

// dress puts TLS and WebSocket over a connection, where the server has them.
func (c *Client) dress(ctx context.Context, raw net.Conn) (net.Conn, error) {
	conn := raw
	if c.server.secure {
		cfg := c.cfg.TLS.Clone()
		if cfg == nil {
			cfg = &tls.Config{}
		}
		if cfg.ServerName == "" {
			cfg.ServerName = c.server.host
		}
		t := tls.Client(conn, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = t
	}
	if !c.server.web {
		return conn, nil
	}
	scheme, origin := "ws", "http"
	if c.server.secure {
		scheme, origin = "wss", "https"
	}
	cfg, err := websocket.NewConfig(scheme+"://"+c.server.address()+c.server.path, origin+"://"+c.server.address())
	if err != nil {
		return nil, err
	}
	cfg.Protocol = []string{"mqtt"}
	ws, err := websocket.NewClient(cfg, conn)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	ws.PayloadType = websocket.BinaryFrame
	return ws, nil
}
