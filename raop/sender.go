package raop

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// sendPatience is how long a packet may wait for room in the socket's buffer:
// so short that no other receiver is kept waiting, and longer than a busy
// machine lets a goroutine wait between reading the clock and the write.
const sendPatience = 20 * time.Millisecond

// A sender sends datagrams that nobody waits for. On a socket of the system a
// datagram leaves at once or not at all, without a deadline: each deadline is a
// timer that wakes the process later for nothing, which took more processor
// time than all the packets.
type sender struct {
	conn net.Conn

	mu     sync.Mutex
	raw    syscall.RawConn // nil: conn has to do
	packet []byte          // what write sends, and how that went
	err    error
	write  func(fd uintptr) (done bool)
}

func newSender(conn net.Conn) *sender {
	s := &sender{conn: conn}
	if c, ok := conn.(*net.UDPConn); ok && pushes {
		if raw, err := c.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.write = func(fd uintptr) bool {
		s.err = push(fd, s.packet)
		return true
	}
	return s
}

// send sends a datagram. It does not allocate.
func (s *sender) send(packet []byte, now time.Time) error {
	if s.raw == nil {
		s.conn.SetWriteDeadline(now.Add(sendPatience))
		_, err := s.conn.Write(packet)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packet = packet
	if err := s.raw.Write(s.write); err != nil {
		return err
	}
	return s.err
}

// Close closes the socket.
func (s *sender) Close() error { return s.conn.Close() }
