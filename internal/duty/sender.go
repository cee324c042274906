package duty

import (
	"net"
	"sync"
	"time"
)

// patience is how long a packet may wait for room in the socket's buffer:
// so short that no other receiver is kept waiting, and longer than a busy
// machine lets a goroutine wait between reading the clock and the write.
const patience = 20 * time.Millisecond

// A Sender sends datagrams that nobody waits for. On a socket of the system a
// datagram leaves at once or not at all, without a deadline, and the runtime
// does not watch the socket: a deadline is a timer that wakes the process later
// for nothing, and who watches is woken for each packet that has left. Both
// took more processor time than all the packets.
type Sender struct {
	conn net.Conn // nil: there is a socket

	mu     sync.Mutex
	socket *socket // nil: conn has to do, or it is closed
}

// NewSender takes conn over.
func NewSender(conn net.Conn) *Sender {
	if c, ok := conn.(*net.UDPConn); ok {
		if taken, err := takeSocket(c); err == nil {
			conn.Close()
			return &Sender{socket: taken}
		}
	}
	return &Sender{conn: conn}
}

// Send sends a datagram. It does not allocate.
func (s *Sender) Send(packet []byte, now time.Time) error {
	if s.conn != nil {
		s.conn.SetWriteDeadline(now.Add(patience))
		_, err := s.conn.Write(packet)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == nil {
		return net.ErrClosed
	}
	return s.socket.send(packet)
}

// Close closes the socket. It may be called again.
func (s *Sender) Close() error {
	if s.conn != nil {
		return s.conn.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == nil {
		return nil
	}
	taken := s.socket
	s.socket = nil
	return taken.close()
}
