package ptp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// ErrPorts is wrapped by the errors of an engine whose ports cannot be had.
var ErrPorts = errors.New("PTP is not possible")

// A PortError says why a port cannot be had, and what to do.
type PortError struct {
	Port  int
	Owner string // who has it, "nqptp (process 812)"; empty: not known
	Err   error
}

// Error returns a sentence for people.
func (e *PortError) Error() string {
	switch {
	case errors.Is(e.Err, syscall.EACCES), errors.Is(e.Err, syscall.EPERM):
		return fmt.Sprintf("%v: UDP ports 319 and 320 need a right that this program does not have; grant it by "+
			"`sysctl -w net.ipv4.ip_unprivileged_port_start=319`, by `setcap cap_net_bind_service=+ep` on the program, "+
			"or by AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit", ErrPorts)
	case errors.Is(e.Err, syscall.EADDRINUSE) && e.Owner != "":
		return fmt.Sprintf("%v: UDP port %d belongs to %s; only one program of a machine can keep time, so stop that one or use another machine",
			ErrPorts, e.Port, e.Owner)
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("%v: UDP port %d belongs to another program (nqptp, ptp4l, or another AirPlay sender); "+
			"only one program of a machine can keep time, so stop that one or use another machine", ErrPorts, e.Port)
	}
	return fmt.Sprintf("%v: UDP port %d: %v", ErrPorts, e.Port, e.Err)
}

// Unwrap returns ErrPorts and the system's error.
func (e *PortError) Unwrap() []error { return []error{ErrPorts, e.Err} }

func (e *Engine) listen(port int) (net.PacketConn, error) {
	conn, err := e.cfg.ListenPacket("udp", net.JoinHostPort(e.cfg.Address, strconv.Itoa(port)))
	if err == nil {
		return conn, nil
	}
	no := &PortError{Port: port, Err: err}
	if errors.Is(err, syscall.EADDRINUSE) {
		no.Owner = ownerOf(os.DirFS("/proc"), port)
	}
	return nil, no
}
