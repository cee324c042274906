package discovery_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"airplay2mqtt/discovery"
)

func TestServicesWithDifferentHardwareAddressesAreMergedByHostAndName(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		s.airplay["deviceid"] = "AA:BB:CC:00:00:01"
		h.switchOn(s)
		h.wait(time.Second)
		want(t, h.told(), []string{"20ms 0011324A5B6C Kitchen here"})
	})
}

func TestServicesOfDifferentHostsAreNotMerged(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s, other := kitchen(), kitchen()
		s.airplay = nil
		other.raop, other.host, other.airplay["deviceid"] = nil, "other", "AA:BB:CC:00:00:01"
		h.switchOn(s, other)
		h.wait(time.Second)
		want(t, h.told(), []string{
			"320ms 0011324A5B6C Kitchen here",
			"320ms AABBCC000001 Kitchen here",
		})
	})
}

func TestADeviceWithoutAHardwareAddressHasALocalOne(t *testing.T) {
	for _, deviceid := range []string{"", "none", "00:00:00:00:00:00"} {
		live(t, discovery.Config{}, func(h *house) {
			s := kitchen()
			s.raop, s.airplay["deviceid"] = nil, deviceid
			h.switchOn(s)
			h.wait(time.Second)
			want(t, h.told(), []string{"320ms 3271D89AD005 Kitchen here"})
		})
	}
}

func TestHardwareAddressesHaveManySpellings(t *testing.T) {
	for _, deviceid := range []string{"0:11:32:4a:5b:6c", "00-11-32-4A-5B-6C", "0011324a5b6c"} {
		live(t, discovery.Config{}, func(h *house) {
			s := kitchen()
			s.raop, s.airplay["deviceid"] = nil, deviceid
			h.switchOn(s)
			h.wait(time.Second)
			want(t, h.told(), []string{"320ms 0011324A5B6C Kitchen here"})
		})
	}
}

func TestTheBestAddressComesFirst(t *testing.T) {
	for _, c := range []struct {
		name   string
		v4, v6 []string
		want   []string
	}{
		{"networks that we are in before others", []string{"10.0.0.9", "192.168.1.20"}, nil, []string{"192.168.1.20", "10.0.0.9"}},
		{"IPv4 before IPv6", []string{"10.0.0.9"}, []string{"fe80::9", "fd00::9"}, []string{"10.0.0.9", "fe80::9%eth0", "fd00::9"}},
		{"no loopback", []string{"127.0.0.1", "192.168.1.20"}, []string{"::1"}, []string{"192.168.1.20"}},
		{"no IPv4 link-local", []string{"169.254.7.7", "192.168.1.20"}, nil, []string{"192.168.1.20"}},
		{"IPv4 link-local if there is nothing else", []string{"169.254.7.7"}, []string{"::1"}, []string{"169.254.7.7"}},
		{"the loopback that a Pioneer announces means the sender", []string{"127.0.0.1"}, nil, []string{"192.168.1.20"}},
		{"each once", []string{"192.168.1.20", "192.168.1.20"}, nil, []string{"192.168.1.20"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, discovery.Config{}, func(h *house) {
				s := kitchen()
				s.v4, s.v6 = c.v4, c.v6
				h.settle(s)
				var addrs []netip.Addr
				for _, a := range c.want {
					addrs = append(addrs, netip.MustParseAddr(a))
				}
				want(t, h.device(s.id()).Addrs, addrs)
			})
		})
	}
}

func TestLoopbackCountsWhenItIsNamed(t *testing.T) {
	live(t, discovery.Config{Interfaces: []string{"lo"}}, func(h *house) {
		h.Plug("lo", "127.0.0.1/8")
		h.wait(11 * time.Second)
		s := kitchen()
		s.v4 = []string{"127.0.0.1"}
		h.Send("lo", "127.0.0.1:5353", s.answer("_raop._tcp"))
		h.wait(time.Second)
		want(t, h.device(s.id()).Addrs, []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	})
}

func TestAGoodbyeOnOneNetworkIsNoneOnTheOther(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		h.Plug("wlan0", "10.0.0.2/24")
		h.wait(11 * time.Second)
		s := kitchen()
		s.airplay = nil
		wireless := *s
		wireless.v4 = []string{"10.0.0.20"}
		h.send(s.answer("_raop._tcp"))
		h.Send("wlan0", "10.0.0.20:5353", wireless.answer("_raop._tcp"))
		h.wait(time.Second)
		h.told()
		want(t, h.device(s.id()).Addrs, []netip.Addr{netip.MustParseAddr("10.0.0.20"), netip.MustParseAddr("192.168.1.20")})

		h.Send("wlan0", "10.0.0.20:5353", s.goodbye("_raop._tcp"))
		h.Send("wlan0", "10.0.0.20:5353", packet(wireless.addrs(0)...))
		h.wait(5 * time.Second)
		want(t, h.told(), []string{"13.1s 0011324A5B6C Kitchen changed"})
		h.bye(s)
		h.wait(5 * time.Second)
		want(t, h.told(), []string{"18s 0011324A5B6C Kitchen gone"})
	})
}

func TestAnIPv6AddressWithoutAnInterfaceIsNotUsed(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		s.v4, s.v6 = nil, []string{"fe80::9"}
		h.settle(s)
		want(t, h.device(s.id()).Addrs, []netip.Addr{netip.MustParseAddr("fe80::9%eth0")})
	})
}

func TestAServiceWithoutAPortIsNone(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.send(packet(append(s.addrs(120), s.text("_raop._tcp", 120), &dns.SRV{
			Hdr: header(s.instance("_raop._tcp"), dns.TypeSRV, flush, 120), Target: "kitchen.local.",
		})...))
		h.wait(time.Minute)
		want(t, h.told(), []string{})
	})
}
