package discovery

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A netif is a network interface on which we listen.
type netif struct {
	name     string
	index    int
	loopback bool
	prefixes []netip.Prefix // its own addresses, with the networks they are in
	net      net.Interface
}

// has tells whether an address is in one of the interface's networks.
func (n netif) has(a netip.Addr) bool {
	if a.Zone() != "" && a.Zone() != n.name {
		return false
	}
	return slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool { return p.Contains(a.WithZone("")) })
}

// speaks tells whether the interface has an address of a family.
func (n netif) speaks(is func(netip.Addr) bool) bool {
	return slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool { return is(p.Addr()) })
}

func (n netif) equal(o netif) bool {
	return n.name == o.name && n.index == o.index && slices.Equal(n.prefixes, o.prefixes)
}

// nets are the interfaces as package net knows them.
func nets(ifaces []netif) []net.Interface {
	var all []net.Interface
	for _, i := range ifaces {
		all = append(all, i.net)
	}
	return all
}

// ours tells whether an address is one of this machine.
func ours(a netip.Addr, ifaces []netif) bool {
	return slices.ContainsFunc(ifaces, func(i netif) bool {
		return slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return p.Addr() == a.WithZone("") })
	})
}

// interfaces are those of this machine that have the given names. With no
// names they are all that are up and can multicast, but the loopback. Those
// without an address are left out: nobody could answer us there.
func interfaces(names []string) ([]netif, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("network interfaces: %w", err)
	}
	var found []netif
	for _, i := range all {
		usable := i.Flags&net.FlagMulticast != 0 && i.Flags&net.FlagLoopback == 0
		if len(names) > 0 {
			usable = slices.Contains(names, i.Name)
		}
		if !usable || i.Flags&net.FlagUp == 0 {
			continue
		}
		n := netif{name: i.Name, index: i.Index, loopback: i.Flags&net.FlagLoopback != 0, net: i}
		if n.prefixes = prefixes(i); len(n.prefixes) > 0 {
			found = append(found, n)
		}
	}
	return found, missing(names, found)
}

func prefixes(i net.Interface) []netip.Prefix {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var found []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return found
}

// missing is an error that says why there is less than was asked for.
func missing(names []string, found []netif) error {
	var not []string
	for _, name := range names {
		if !slices.ContainsFunc(found, func(n netif) bool { return n.name == name }) {
			not = append(not, name)
		}
	}
	switch {
	case len(not) > 0:
		return fmt.Errorf("no network interface %s that is up and has an address", strings.Join(not, ", "))
	case len(found) == 0:
		return fmt.Errorf("no network interface that is up, has an address and can multicast")
	}
	return nil
}
