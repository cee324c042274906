package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/net/websocket"
)

var errNoAnswer = errors.New("the broker does not answer")

// A RefusedError is a broker's no to our connection.
type RefusedError struct {
	Code byte // of MQTT 3.1.1, table 3.1
}

func (e *RefusedError) Error() string {
	switch e.Code {
	case 1:
		return "the broker refuses MQTT 3.1.1"
	case 2:
		return "the broker refuses the client id"
	case 3:
		return "the broker is not ready for clients"
	case 4, 5:
		return "the broker refuses user name or password"
	}
	return fmt.Sprintf("the broker refuses the connection with code %d", e.Code)
}

// refused reports whether trying again soon is of no use.
func refused(err error) bool {
	e, ok := errors.AsType[*RefusedError](err)
	return ok && e.Code != 3
}

// describe says in plain words how a link ended.
func describe(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the broker closed the connection")
	}
	return err
}

// advise says what a person can do about a connection that did not come about.
func advise(err error) string {
	if e, ok := errors.AsType[*RefusedError](err); ok {
		return e.advice()
	}
	if hint := adviseTLS(err); hint != "" {
		return hint
	}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &dns):
		return "the host's name is not known: check it, or write its address"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start the broker, or check host and port"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that address: check the network and the address"
	case errors.Is(err, websocket.ErrBadStatus), errors.Is(err, websocket.ErrBadUpgrade):
		return "that is a web server, but no WebSocket of a broker: check port and path"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "something listens and hangs up: if that port speaks TLS write mqtts://, if it is for WebSockets ws://"
	case errors.Is(err, errNoAnswer), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "nobody answers: check that the host is on, and that no firewall is between"
	case errors.Is(err, errForeign), errors.Is(err, errMalformed):
		return "what listens there is no MQTT broker: check host and port"
	}
	return "check the address of the broker"
}

func (e *RefusedError) advice() string {
	switch e.Code {
	case 2:
		return "choose another client id"
	case 3:
		return "wait for the broker to start, or look into its log"
	case 4, 5:
		return "check user name and password, and that the broker lets this user in"
	}
	return "look into the broker's log"
}

func adviseTLS(err error) string {
	var plain tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &plain):
		return "that port does not speak TLS: write mqtt:// (or ws://), or use the broker's TLS port"
	case errors.As(err, &unknown):
		return "nobody we trust has signed the broker's certificate: give the file of the authority that did"
	case errors.As(err, &host):
		return "the broker's certificate is for another name: write that name as the server"
	case errors.As(err, &invalid):
		return "the broker's certificate is not valid: renew it, and check the clock of both machines"
	case strings.Contains(err.Error(), "remote error: tls"):
		return "the broker ended the TLS handshake: it may want a certificate of ours"
	}
	return ""
}
