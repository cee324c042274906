package media_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"airplay2mqtt/bridge/media"
)

// dial tries to connect and says whether the guard refused. An address that is
// not refused is not reached either: the context has ended already.
func dial(t *testing.T, g *media.Guard, address string) (refused bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	conn, err := g.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	var e *media.AddressError
	return errors.As(err, &e)
}

func TestThisMachineAndItsNeighboursAreRefused(t *testing.T) {
	g, err := media.NewGuard(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		"127.0.0.1:80", "127.8.9.1:80", "localhost:80", "[::1]:80", "0.0.0.0:80", "[::]:80", "0.1.2.3:80",
		"169.254.169.254:80", "[fe80::1%lo]:80", "[::ffff:127.0.0.1]:80", "[::ffff:169.254.169.254]:80",
		"[64:ff9b::7f00:1]:80", "[fd00:ec2::254]:80", "100.100.100.200:80", "255.255.255.255:80",
	} {
		if !dial(t, g, address) {
			t.Errorf("%s was not refused", address)
		}
	}
}

func TestAllowedIsReached(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	for _, c := range []struct {
		name        string
		allow, deny []string
		address     string
		refused     bool
	}{
		{"nothing said", nil, nil, address, true},
		{"by address", []string{"127.0.0.1"}, nil, address, false},
		{"by network", []string{"127.0.0.0/8"}, nil, address, false},
		{"by name", []string{"localhost"}, nil, "localhost:" + port, false},
		{"by name, reached by address", []string{"localhost"}, nil, address, true},
		{"allowed and denied", []string{"127.0.0.1"}, []string{"0.0.0.0/0"}, address, false},
		{"denied by name", nil, []string{"LOCALHOST."}, "localhost:" + port, true},
		{"another is allowed", []string{"127.0.0.2"}, nil, address, true},
	} {
		g, err := media.NewGuard(c.allow, c.deny)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := g.DialContext(context.Background(), "tcp4", c.address)
		if err == nil {
			conn.Close()
		}
		var e *media.AddressError
		if got := errors.As(err, &e); got != c.refused || !c.refused && err != nil {
			t.Errorf("%s: got %v, want refused %v", c.name, err, c.refused)
		}
	}
}

func TestRowsThatAreNoHost(t *testing.T) {
	for _, row := range []string{"", "http://x", "a b", "10.0.0.0/99"} {
		if _, err := media.NewGuard([]string{row}, nil); err == nil {
			t.Errorf("%q was taken", row)
		}
	}
}
