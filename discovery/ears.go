package discovery

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// ears listen on all interfaces, without asking anything. They hear goodbyes
// and changes at once.
type ears struct {
	open  func(netif) ([]link, error)
	heard chan<- sighting
	on    map[int]ear // by the index of the interface
	wg    sync.WaitGroup
}

type ear struct {
	netif
	links []link
}

// attach listens on exactly these interfaces. What could not be opened is
// tried again the next time; the error is nil if one can be heard on.
func (e *ears) attach(ctx context.Context, ifaces []netif) error {
	for index, old := range e.on {
		if !slices.ContainsFunc(ifaces, old.equal) {
			old.close()
			delete(e.on, index)
		}
	}
	var errs []error
	for _, n := range ifaces {
		if _, ok := e.on[n.index]; ok {
			continue
		}
		links, err := e.open(n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		e.on[n.index] = ear{n, links}
		for _, l := range links {
			e.wg.Go(func() { e.listen(ctx, l, n.index) })
		}
	}
	if len(e.on) > 0 {
		return nil
	}
	return errors.Join(errs...)
}

// listen hands on what a link brings, until the link is closed.
func (e *ears) listen(ctx context.Context, l link, iface int) {
	b := make([]byte, maxPacket+1)
	for {
		n, from, err := l.read(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // the network is down, perhaps
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
			continue
		case from.Port() != mdnsPort: // RFC 6762, 6: to be ignored
			continue
		}
		s := sighting{iface: iface, from: from.Addr(), records: parse(b[:n])}
		if len(s.records) == 0 {
			continue
		}
		select {
		case e.heard <- s:
		case <-ctx.Done():
			return
		}
	}
}

// ask sends questions to the interfaces that on picks. A question that is lost
// is asked again in the next round, so errors do not matter.
func (e *ears) ask(questions []question, on func(netif) bool) {
	for _, b := range pack(questions) {
		for _, ear := range e.on {
			if !on(ear.netif) {
				continue
			}
			for _, l := range ear.links {
				_ = l.write(b)
			}
		}
	}
}

func everywhere(netif) bool { return true }

// close ends all links and waits for those who listened.
func (e *ears) close() {
	for _, ear := range e.on {
		ear.close()
	}
	e.wg.Wait()
}

func (e ear) close() {
	for _, l := range e.links {
		_ = l.close()
	}
}
