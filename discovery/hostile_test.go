package discovery_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"airplay2mqtt/discovery"
)

func TestAFloodIsBounded(t *testing.T) {
	var packets [][]byte
	for i := range 300 {
		var records []dns.RR
		for j := range 20 {
			s := kitchen()
			s.mac, s.host = fmt.Sprintf("00:00:00:00:%02x:%02x", 1+i%250, j), fmt.Sprintf("h%d-%d", i, j)
			s.name = fmt.Sprintf("n%d-%d", i, j)
			for k := range 30 {
				s.v4 = append(s.v4, fmt.Sprintf("10.%d.%d.%d", i%250, j, k))
			}
			records = append(records, s.server("_raop._tcp", 4500), s.addrs(4500)[0])
		}
		packets = append(packets, packet(records...))
	}
	devices, instances, hosts := discovery.Hear(packets...)
	if devices == 0 || instances > 1024 || hosts > 2048 {
		t.Errorf("got %d devices, %d instances, %d hosts, want some, but not too many", devices, instances, hosts)
	}
}

func TestAFloodDoesNotHideWhoIsThere(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		h.settle(kitchen())
		s := kitchen()
		for i := range 5000 {
			s.mac, s.name = fmt.Sprintf("02:00:00:00:%02x:%02x", i/250, i%250), "x"
			h.send(s.answer("_raop._tcp"))
		}
		h.wait(10 * time.Minute)
		want(t, h.device("0011324A5B6C").Name, "Kitchen")
		if n := len(h.last); n != 1 {
			t.Errorf("got %d devices, want that those that never answer are gone", n)
		}
	})
}

func TestWhatIsNoAnswerIsIgnored(t *testing.T) {
	s := kitchen()
	s.airplay = nil
	query := s.answer("_raop._tcp")
	query[2] &^= 0x80
	failed := s.answer("_raop._tcp")
	failed[3] |= 3
	update := s.answer("_raop._tcp")
	update[2] |= 5 << 3
	for name, b := range map[string][]byte{
		"a query": query, "an error": failed, "another operation": update,
		"nothing": {}, "half a header": query[:7], "too long": append(s.answer("_raop._tcp"), make([]byte, 9000)...),
	} {
		if got := discovery.Parse(b); len(got) != 0 {
			t.Errorf("%s: got %d records, want none", name, len(got))
		}
	}
	live(t, discovery.Config{}, func(h *house) {
		h.Send("eth0", "192.168.1.20:40000", s.answer("_raop._tcp")) // RFC 6762, 6
		h.wait(time.Second)
		want(t, h.told(), []string{})
	})
}

func TestABadRecordSpoilsNoOther(t *testing.T) {
	s := kitchen()
	bad := &dns.RFC3597{Hdr: header(s.instance("_raop._tcp"), dns.TypeSRV, flush, 120), Rdata: "00"}
	b := packet(append([]dns.RR{bad, s.pointer("_raop._tcp", 120)}, s.addrs(120)...)...)
	if got := discovery.Parse(b); len(got) != 2 {
		t.Errorf("got %d records, want the pointer and the address", len(got))
	}
	for n := range b {
		discovery.Parse(b[:n])
	}
}

func TestEscapesAreRead(t *testing.T) {
	for _, c := range []struct{ escaped, want string }{
		{`K\195\188che\ \(1\)\.x`, "Küche (1).x"},
		{`a\"b\195\188`, `a"bü`},
		{`a\\b`, `a\b`},
		{`a\`, `a\`},
		{`a\9`, `a9`},
		{`a\999`, `a999`},
		{``, ``},
	} {
		if got := discovery.Unescape(c.escaped); got != c.want {
			t.Errorf("Unescape(%q): got %q, want %q", c.escaped, got, c.want)
		}
	}
	random := rand.NewChaCha8([32]byte{})
	for range 1000 {
		b := make([]byte, 63)
		_, _ = random.Read(b)
		if got := discovery.Unescape(discovery.Escape(string(b))); got != string(b) {
			t.Fatalf("got %q after Escape and Unescape, want %q", got, b)
		}
		// Escape writes what package dns writes of a label that it reads.
		name := discovery.Escape(string(b)) + "."
		wire := make([]byte, 255)
		if _, err := dns.PackDomainName(name, wire, 0, nil, false); err != nil {
			t.Fatal(err)
		}
		if got, _, err := dns.UnpackDomainName(wire, 0); err != nil || got != name {
			t.Fatalf("got %q, %v, want %q", got, err, name)
		}
	}
}

func FuzzPacket(f *testing.F) {
	s := kitchen()
	s.v6 = []string{"fe80::1", "2001:db8::1"}
	f.Add(s.answer("_raop._tcp"))
	f.Add(s.answer("_airplay._tcp"))
	f.Add(s.goodbye("_raop._tcp"))
	l, r := halves("0x9a404", "0x98404")
	f.Add(packet(slices.Concat(
		[]dns.RR{l.server("_airplay._tcp", 1), l.text("_airplay._tcp", 1), r.server("_airplay._tcp", 1), r.text("_airplay._tcp", 1)},
		l.addrs(1), r.addrs(1))...))
	f.Add(packet(&dns.TXT{Hdr: header(strings.Repeat("a.", 100)+"local.", dns.TypeTXT, 0, 1<<31), Txt: []string{"", "=", "a"}}))
	// A name that points at itself.
	f.Add(append([]byte{0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12}, bytes.Repeat([]byte{0}, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := len(discovery.Parse(b)); got > 512 {
			t.Errorf("got %d records", got)
		}
		half := len(b) / 2
		discovery.Hear(b, b[:half], b[half:], b)
	})
}
