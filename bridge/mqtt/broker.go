package mqtt

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/rs/zerolog"
)

// BrokerConfig says who may reach a Broker.
type BrokerConfig struct {
	// Address is host:port to listen on; the customary port is 1883, and 0
	// takes any. The host must be a loopback address, unless Password is set.
	// Empty: nobody but Pipe reaches the broker.
	Address string
	// Search is how many of the ports after that of Address are tried while
	// they are taken. Default: none.
	Search int
	// Username and Password are asked of all clients. Default: none are.
	Username, Password string
	// TLS is spoken by all but Pipe. Default: none.
	TLS *tls.Config
	// MaxPacket is the size of the largest packet that is taken. Default: 16
	// MiB and a little, so that 16 MiB of payload fit.
	MaxPacket uint32
	// Logger is told what the broker complains of. Default: silent.
	Logger zerolog.Logger
}

// maxClients is how many connections a Broker has at most.
const maxClients = 256

// A Broker is an MQTT broker in this process, for houses without one and for
// tests. It keeps everything in memory: what is retained ends with it.
type Broker struct {
	log      zerolog.Logger
	server   *mochi.Server
	tls      *tls.Config
	listener net.Listener // nil: only Pipe

	gone   chan struct{} // closed by Close
	wg     sync.WaitGroup
	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

// StartBroker starts a broker. Close ends it.
func StartBroker(cfg BrokerConfig) (*Broker, error) {
	b := &Broker{log: cfg.Logger, tls: cfg.TLS, conns: map[net.Conn]struct{}{}, gone: make(chan struct{})}
	if cfg.Address != "" {
		l, err := listen(cfg)
		if err != nil {
			return nil, fmt.Errorf("mqtt: broker: %w", err)
		}
		b.listener = l
	}
	b.server = mochi.New(&mochi.Options{
		Capabilities:           capabilities(cfg),
		Logger:                 slog.New(brokerLog{zerolog.NewSlogHandler(cfg.Logger)}),
		SysTopicResendInterval: 60,
	})
	d := &door{username: cfg.Username, password: cfg.Password, larder: larder{sizes: map[string]int{}}}
	err := b.server.AddHook(d, nil)
	if err == nil { // the last one, for it counts on what is retained after it
		err = b.server.AddHook(new(turns), nil)
	}
	if err == nil {
		err = b.server.Serve()
	}
	if err != nil {
		if b.listener != nil {
			b.listener.Close()
		}
		return nil, fmt.Errorf("mqtt: broker: %w", err)
	}
	if b.listener != nil {
		b.wg.Go(b.accept)
	}
	return b, nil
}

// listen finds a port that is free.
func listen(cfg BrokerConfig) (net.Listener, error) {
	host, text, err := net.SplitHostPort(cfg.Address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("address %s: port %q is no number from 0 to 65535", cfg.Address, text)
	}
	if cfg.Password == "" && !loopback(host) {
		return nil, fmt.Errorf("address %s: without a password only loopback addresses are served, such as 127.0.0.1", cfg.Address)
	}
	for try := 0; ; try++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(port)+try)))
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || try >= cfg.Search || int(port)+try >= 65535 {
			return nil, err
		}
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func capabilities(cfg BrokerConfig) *mochi.Capabilities {
	c := mochi.NewDefaultServerCapabilities()
	// Never, or else retained messages vanish after a day.
	c.MaximumMessageExpiryInterval = 0
	c.MaximumSessionExpiryInterval = 24 * 60 * 60
	c.MaximumClients = maxClients
	c.MaximumClientWritesPending = 4096 // 8 bytes each, for every client
	c.TopicAliasMaximum = 64
	c.MaximumPacketSize = cfg.MaxPacket
	if c.MaximumPacketSize == 0 {
		c.MaximumPacketSize = 16<<20 + 128<<10
	}
	return c
}

// Addr is where the broker listens; nil if it does not.
func (b *Broker) Addr() net.Addr {
	if b.listener == nil {
		return nil
	}
	return b.listener.Addr()
}

// Pipe returns a connection to the broker inside the process, for Config.Dial.
// After Close it is a connection that is closed.
func (b *Broker) Pipe() net.Conn {
	near, far := pipe()
	b.establish(far)
	return near
}

// Close ends all connections, wills included, and waits until they have ended.
// It may be called twice.
func (b *Broker) Close() error {
	b.mu.Lock()
	again := b.closed
	if !again {
		b.closed = true
		close(b.gone)
	}
	for conn := range b.conns {
		conn.Close()
	}
	b.mu.Unlock()
	if b.listener != nil {
		b.listener.Close()
	}
	b.wg.Wait()
	if again {
		return nil
	}
	return b.server.Close()
}

// accept is our own and not the library's, which stops listening for good at the
// first error, such as too many open files.
func (b *Broker) accept() {
	for {
		conn, err := b.listener.Accept()
		switch {
		case err == nil && b.tls != nil:
			b.establish(tls.Server(conn, b.tls))
		case err == nil:
			b.establish(conn)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			b.log.Warn().Err(err).Msg("the embedded broker cannot accept a connection")
			select {
			case <-time.After(100 * time.Millisecond):
			case <-b.gone:
			}
		}
	}
}

// establish lives with a connection in a goroutine of its own.
func (b *Broker) establish(conn net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.conns) >= maxClients {
		conn.Close()
		return
	}
	b.conns[conn] = struct{}{}
	// For the CONNECT; the keep-alive that it asks for moves the deadline.
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	b.wg.Go(func() {
		err := b.server.EstablishConnection("embedded", conn)
		b.log.Trace().Err(err).Stringer("address", conn.RemoteAddr()).Msg("client left the embedded broker")
		conn.Close()
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, conn)
	})
}

// The door lets clients in.
type door struct {
	mochi.HookBase
	username, password string
	larder             larder
}

func (d *door) ID() string { return "door" }

func (d *door) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck || b == mochi.OnPublish || b == mochi.OnDisconnect
}

func (d *door) OnConnectAuthenticate(_ *mochi.Client, pk packets.Packet) bool {
	if d.username == "" && d.password == "" {
		return true
	}
	name := subtle.ConstantTimeCompare(pk.Connect.Username, []byte(d.username))
	word := subtle.ConstantTimeCompare(pk.Connect.Password, []byte(d.password))
	return name&word == 1
}

func (d *door) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// OnDisconnect holds a client that was pushed out by another with its id until
// the library has noted that. A client that leaves before strikes the id from the
// list, the other one's, and that one never hears anything.
func (d *door) OnDisconnect(cl *mochi.Client, _ error, _ bool) {
	if !errors.Is(cl.StopCause(), packets.ErrSessionTakenOver) {
		return
	}
	limit := time.After(time.Second)
	for !cl.IsTakenOver() {
		select {
		case <-time.After(time.Millisecond):
		case <-limit:
			return
		}
	}
}

// brokerLog keeps the broker quiet: it warns of every client that hangs up, and
// shows whole packets, passwords included.
type brokerLog struct{ slog.Handler }

func (h brokerLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, demote(level))
}

func demote(level slog.Level) slog.Level {
	if level >= slog.LevelError {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (h brokerLog) Handle(ctx context.Context, r slog.Record) error {
	text := r.Message
	if text == "" {
		text = "client left"
	}
	quiet := slog.NewRecord(r.Time, demote(r.Level), "embedded broker: "+text, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "pk" && a.Key != "packet" {
			quiet.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, quiet)
}

func (h brokerLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return brokerLog{h.Handler.WithAttrs(attrs)}
}

func (h brokerLog) WithGroup(name string) slog.Handler { return brokerLog{h.Handler.WithGroup(name)} }
