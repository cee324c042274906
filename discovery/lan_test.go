package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"airplay2mqtt/discovery"
)

// A speaker says itself as receivers do: two services, one host.
type speaker struct {
	mac, name, host string
	v4, v6          []string
	raop, airplay   map[string]string // TXT; nil: the service is not announced
	ttl             uint32            // 0: 120 seconds
}

// kitchen is an AirPort Express with firmware 7.8.
func kitchen() *speaker {
	return &speaker{
		mac: "00:11:32:4a:5b:6c", name: "Kitchen", host: "kitchen", v4: []string{"192.168.1.20"},
		raop:    map[string]string{"am": "AirPort10,115", "et": "0,4", "TP": "UDP"},
		airplay: map[string]string{"deviceid": "00:11:32:4A:5B:6C", "model": "AirPort10,115", "features": "0x445D0A00,0x1C340"},
	}
}

func (s *speaker) id() string { return strings.ToUpper(strings.ReplaceAll(s.mac, ":", "")) }

func (s *speaker) instance(service string) string {
	label := s.name
	if service == "_raop._tcp" {
		label = s.id() + "@" + s.name
	}
	return discovery.Escape(label) + "." + service + ".local."
}

func (s *speaker) services() map[string]map[string]string {
	m := map[string]map[string]string{}
	if s.raop != nil {
		m["_raop._tcp"] = s.raop
	}
	if s.airplay != nil {
		m["_airplay._tcp"] = s.airplay
	}
	return m
}

const flush = 1 << 15

func header(name string, kind, class uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET | class, Ttl: ttl}
}

func (s *speaker) pointer(service string, ttl uint32) dns.RR {
	return &dns.PTR{Hdr: header(service+".local.", dns.TypePTR, 0, ttl), Ptr: s.instance(service)}
}

func (s *speaker) server(service string, ttl uint32) dns.RR {
	port := uint16(5000)
	if service == "_airplay._tcp" {
		port = 7000
	}
	return &dns.SRV{Hdr: header(s.instance(service), dns.TypeSRV, flush, ttl), Port: port, Target: s.host + ".local."}
}

func (s *speaker) text(service string, ttl uint32) dns.RR {
	var text []string
	for key, value := range s.services()[service] {
		text = append(text, key+"="+value)
	}
	sort.Strings(text)
	return &dns.TXT{Hdr: header(s.instance(service), dns.TypeTXT, flush, ttl), Txt: text}
}

func (s *speaker) addrs(ttl uint32) (all []dns.RR) {
	for _, a := range s.v4 {
		all = append(all, &dns.A{Hdr: header(s.host+".local.", dns.TypeA, flush, ttl), A: net.ParseIP(a)})
	}
	for _, a := range s.v6 {
		all = append(all, &dns.AAAA{Hdr: header(s.host+".local.", dns.TypeAAAA, flush, ttl), AAAA: net.ParseIP(a)})
	}
	return all
}

func (s *speaker) life() uint32 {
	if s.ttl == 0 {
		return 120
	}
	return s.ttl
}

// answer is what a question for a service brings.
func (s *speaker) answer(service string) []byte {
	return packet(append([]dns.RR{
		s.pointer(service, 4500), s.server(service, s.life()), s.text(service, 4500),
	}, s.addrs(s.life())...)...)
}

// goodbye is what a service says when it ends.
func (s *speaker) goodbye(service string) []byte {
	return packet(s.pointer(service, 0), s.server(service, 0), s.text(service, 0))
}

func packet(records ...dns.RR) []byte {
	m := new(dns.Msg)
	m.Response, m.Authoritative, m.Compress = true, true, true
	m.Answer = records
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// A house is a LAN with speakers that answer, and one who browses.
type house struct {
	*discovery.LAN
	t     *testing.T
	start time.Time
	look  chan<- struct{}

	mu       sync.Mutex
	speakers []*speaker
	waits    int
	events   []string
	last     map[string]discovery.Device
}

// live runs a test in a house with a network, in virtual time.
func live(t *testing.T, cfg discovery.Config, test func(h *house)) {
	t.Helper()
	lan := new(discovery.LAN)
	lan.Plug("eth0", "192.168.1.2/24", "fe80::2/64")
	liveOn(t, lan, cfg, test)
}

// liveOn does so with a network of one's own.
func liveOn(t *testing.T, lan *discovery.LAN, cfg discovery.Config, test func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		look := make(chan struct{}, 1)
		cfg.Look = look
		h := &house{LAN: lan, t: t, start: time.Now(), look: look, last: map[string]discovery.Device{}}
		h.Asked = h.asked
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- discovery.BrowseOn(ctx, h.LAN, cfg, h.found) }()
		synctest.Wait()
		test(h)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Browse: got %v, want that it was cancelled", err)
		}
	})
}

// settle lets a house with some speakers come to rest, 5 s after the start.
func (h *house) settle(speakers ...*speaker) {
	h.switchOn(speakers...)
	h.wait(5 * time.Second)
	h.told()
	h.Questions()
}

// switchOn adds speakers and lets them announce themselves.
func (h *house) switchOn(speakers ...*speaker) {
	h.mu.Lock()
	h.speakers = append(h.speakers, speakers...)
	h.mu.Unlock()
	for _, s := range speakers {
		h.say(s)
	}
}

// cut switches all speakers off without a goodbye.
func (h *house) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.speakers = nil
}

func (h *house) say(s *speaker) {
	for _, service := range []string{"_raop._tcp", "_airplay._tcp"} {
		if s.services()[service] != nil {
			h.send(s.answer(service))
		}
	}
}

func (h *house) bye(s *speaker) {
	for _, service := range []string{"_raop._tcp", "_airplay._tcp"} {
		if s.services()[service] != nil {
			h.send(s.goodbye(service))
		}
	}
}

func (h *house) send(b []byte) { h.Send("eth0", "192.168.1.20:5353", b) }

// asked answers for the speakers.
func (h *house) asked(iface, name string, kind uint16) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.speakers {
		for service := range s.services() {
			switch {
			case iface != "eth0":
			case kind == dns.TypePTR && name == service+".local.":
				h.send(s.answer(service))
			case (kind == dns.TypeSRV || kind == dns.TypeTXT) && strings.EqualFold(name, s.instance(service)):
				h.send(packet(s.server(service, s.life()), s.text(service, 4500)))
			case kind == dns.TypeA && strings.EqualFold(name, s.host+".local."):
				h.send(packet(s.addrs(s.life())...))
			}
		}
	}
}

func (h *house) found(e discovery.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what := "here"
	_, known := h.last[e.Device.ID]
	switch {
	case e.Gone && e.Device.Leader != "":
		what = "follows " + e.Device.Leader
	case e.Gone:
		what = "gone"
	case known:
		what = "changed"
	}
	delete(h.last, e.Device.ID)
	if !e.Gone {
		h.last[e.Device.ID] = e.Device
	}
	h.events = append(h.events, fmt.Sprintf("%v %s %s %s", time.Since(h.start), e.Device.ID, e.Device.Name, what))
}

// wait lets time pass. What the test has changed before is seen by all.
func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	h.waits++
	h.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
}

// told are the events since the last call: when, who, what.
func (h *house) told() []string {
	h.wait(0)
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.events
	h.events = nil
	return events
}

// device is what is known of one now.
func (h *house) device(id string) discovery.Device {
	h.t.Helper()
	h.wait(0)
	h.mu.Lock()
	defer h.mu.Unlock()
	d, ok := h.last[id]
	if !ok {
		h.t.Fatalf("there is no device %s among %d", id, len(h.last))
	}
	return d
}
