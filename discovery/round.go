package discovery

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/grandcat/zeroconf"
)

// browseRound asks once for both services, and hands on who answers until ctx
// ends. It is nil if both could be asked for.
//
// A resolver of zeroconf reports each instance once, and never a change or an
// end. It can be used once, and knows the interfaces that there were when it
// was made. So each round has new ones.
func browseRound(ctx context.Context, ifaces []netif, hear func(sighting)) error {
	var wg sync.WaitGroup
	var errs [len(services)]error
	for i, s := range services {
		wg.Go(func() { errs[i] = browseService(ctx, s, ifaces, hear) })
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

func browseService(ctx context.Context, s service, ifaces []netif, hear func(sighting)) error {
	resolver, err := newResolver(ifaces)
	if err != nil {
		return err
	}
	// What is not taken out of the channel keeps zeroconf's goroutines alive
	// for ever, so it is read until it is closed, whatever happens.
	entries := make(chan *zeroconf.ServiceEntry, 64)
	err = resolver.Browse(ctx, s.String(), "local.", entries)
	for e := range entries {
		hear(sighting{records: recordsOf(s, e)})
	}
	return err
}

// newResolver listens by IPv4 and IPv6, or by the one that there is: zeroconf
// refuses when it cannot have both.
func newResolver(ifaces []netif) (*zeroconf.Resolver, error) {
	var errs []error
	for _, family := range []zeroconf.IPType{zeroconf.IPv4AndIPv6, zeroconf.IPv4, zeroconf.IPv6} {
		r, err := zeroconf.NewResolver(zeroconf.SelectIPTraffic(family), zeroconf.SelectIfaces(nets(ifaces)))
		if err == nil {
			return r, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs[1:]...)
}

// recordsOf turns an entry back into the records that it was made of.
func recordsOf(s service, e *zeroconf.ServiceEntry) []record {
	ttl := min(time.Duration(e.TTL)*time.Second, maxTTL)
	if e.HostName == "" || e.Port <= 0 || e.Port > 65535 || ttl <= 0 {
		return nil
	}
	name := e.Instance + "." + s.domain()
	records := []record{
		{kind: server, name: name, ttl: ttl, target: e.HostName, port: uint16(e.Port)},
	}
	if len(e.Text) > 0 {
		r := record{kind: text, name: name, ttl: ttl}
		for _, t := range e.Text[:min(len(e.Text), maxStrings)] {
			r.text = append(r.text, unescape(t))
		}
		records = append(records, r)
	}
	for _, ip := range append(e.AddrIPv4[:len(e.AddrIPv4):len(e.AddrIPv4)], e.AddrIPv6...) {
		if a, ok := netip.AddrFromSlice(ip); ok {
			records = append(records, record{kind: address, name: e.HostName, ttl: ttl, addr: a.Unmap()})
		}
	}
	return records
}
