package pcm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// A Config holds the policy for what is opened. Its zero value allows all.
type Config struct {
	// DialContext connects to servers ("tcp") and sockets ("unix"). It is the
	// place to refuse addresses. Nil: that of a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// AllowPath is asked before a fifo or a socket is opened, each time, with its
	// path behind all symbolic links. What it returns is returned by Open. Nil:
	// every path is allowed.
	AllowPath func(path string) error
}

// Open opens the location; ctx bounds that. Close ends a Read that waits.
//
// A server and a socket are connected to. A fifo must be there, but need not
// have a writer: it is opened at once, and read when there is one.
func (l Location) Open(ctx context.Context, cfg Config) (io.ReadCloser, error) {
	l.Format = l.Format.orUsual()
	if err := l.Format.check(); err != nil {
		return nil, err
	}
	r, err := l.open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("pcm: open %s: %w", l.Address, err)
	}
	return r, nil
}

func (l Location) open(ctx context.Context, cfg Config) (io.ReadCloser, error) {
	switch l.Kind {
	case TCP:
		return cfg.dial(ctx, "tcp", l.Address)
	case Unix:
		path, err := cfg.resolve(l.Address)
		if err != nil {
			return nil, err
		}
		if err := is(path, fs.ModeSocket); err != nil {
			return nil, err
		}
		return cfg.dial(ctx, "unix", path)
	case FIFO:
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return openFIFO(l.Address, l.Format.align(), cfg)
	}
	return nil, fmt.Errorf("%w of the kind %q", ErrLocation, l.Kind)
}

func (cfg Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := cfg.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return dial(ctx, network, address)
}

// resolve follows symbolic links and asks whether what is there may be opened.
func (cfg Config) resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", cause(err)
	}
	if cfg.AllowPath != nil {
		if err := cfg.AllowPath(resolved); err != nil {
			return "", err
		}
	}
	return resolved, nil
}

// is tells whether something of a type is at a path.
func is(path string, mode fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return cause(err)
	}
	return isMode(info, mode)
}

func isMode(info fs.FileInfo, mode fs.FileMode) error {
	if info.Mode().Type() == mode {
		return nil
	}
	what := map[fs.FileMode]string{fs.ModeNamedPipe: "fifo (mkfifo makes one)", fs.ModeSocket: "socket"}[mode]
	return fmt.Errorf("it is no %s: %w", what, fs.ErrInvalid)
}

// cause is an error without the path that we say ourselves.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
