//go:build !unix

package duty

import (
	"errors"
	"net"
)

// A socket is not to be had on this system.
type socket struct{}

func takeSocket(*net.UDPConn) (*socket, error) { return nil, errors.ErrUnsupported }

func (*socket) send([]byte) error { return errors.ErrUnsupported }

func (*socket) close() error { return nil }
