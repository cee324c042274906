package audio

import (
	"io"
	"sync"
)

// newPump reads r in a goroutine of its own, because closing a reader need not
// end a Read that waits: standard input is such a one. Closing a pump does.
// Its goroutine ends with the Read that it is in; if that never returns, it
// stays behind.
func newPump(r io.ReadCloser) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		var err error
		defer func() { in.CloseWithError(err) }() // nil: the end
		defer recovered(&err)
		_, err = io.Copy(in, r)
	}()
	return &pump{out, sync.OnceValue(func() error {
		out.Close()
		return r.Close()
	})}
}

type pump struct {
	io.Reader
	close func() error
}

func (p *pump) Close() error { return p.close() }
