//go:build unix

package raop

import (
	"os"
	"syscall"
)

// pushes tells that this system has push.
const pushes = true

// push sends a datagram on a connected socket that does not block.
func push(fd uintptr, packet []byte) error {
	for {
		_, err := syscall.Write(int(fd), packet)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
		default:
			return os.NewSyscallError("write", err)
		}
	}
}
