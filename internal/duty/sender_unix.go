//go:build unix

package duty

import (
	"net"
	"os"
	"syscall"
)

// A socket is connected and does not block, and nobody but us knows of it.
type socket struct{ fd int }

// takeSocket returns the socket of c, which may be closed then.
func takeSocket(c *net.UDPConn) (*socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	taken := &socket{}
	var failed error
	err = raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock() // no child inherits it
		defer syscall.ForkLock.RUnlock()
		if taken.fd, failed = syscall.Dup(int(fd)); failed == nil {
			syscall.CloseOnExec(taken.fd)
		}
	})
	if err != nil {
		return nil, err
	}
	return taken, failed
}

func (s *socket) send(packet []byte) error {
	for {
		_, err := syscall.Write(s.fd, packet)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
		default:
			return os.NewSyscallError("write", err)
		}
	}
}

func (s *socket) close() error { return syscall.Close(s.fd) }
