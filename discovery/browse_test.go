package discovery_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"airplay2mqtt/discovery"
)

func want(t *testing.T, got any, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestTwoServicesAreOneDevice(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		h.switchOn(kitchen())
		h.wait(20 * time.Millisecond)
		want(t, h.told(), []string{"20ms 0011324A5B6C Kitchen here"})
		want(t, h.device("0011324A5B6C"), discovery.Device{
			ID: "0011324A5B6C", Name: "Kitchen", Model: "AirPort10,115",
			Addrs: []netip.Addr{netip.MustParseAddr("192.168.1.20")},
			RAOP: &discovery.Service{Port: 5000, TXT: map[string]string{
				"am": "AirPort10,115", "et": "0,4", "tp": "UDP",
			}},
			AirPlay: &discovery.Service{Port: 7000, TXT: map[string]string{
				"deviceid": "00:11:32:4A:5B:6C", "model": "AirPort10,115", "features": "0x445D0A00,0x1C340",
			}},
		})
	})
}

func TestTXTIsBothRecordsInOne(t *testing.T) {
	d := discovery.Device{
		RAOP:    &discovery.Service{TXT: map[string]string{"am": "x", "pw": "true", "vs": "1"}},
		AirPlay: &discovery.Service{TXT: map[string]string{"model": "y", "pw": "", "vs": "2"}},
	}
	want(t, d.TXT(), map[string]string{"am": "x", "model": "y", "pw": "true", "vs": "2"})
	want(t, discovery.Device{}.TXT(), map[string]string{})
}

func TestADeviceWithOneServiceIsToldSoon(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		s.airplay = nil
		h.switchOn(s)
		h.wait(time.Second)
		want(t, h.told(), []string{"320ms 0011324A5B6C Kitchen here"})
		want(t, h.device(s.id()).Model, "AirPort10,115")
	})
}

func TestTheSecondServiceIsAChange(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.send(s.answer("_raop._tcp"))
		h.wait(time.Second)
		h.send(s.answer("_airplay._tcp"))
		h.wait(time.Second)
		want(t, h.told(), []string{
			"320ms 0011324A5B6C Kitchen here",
			"1.1s 0011324A5B6C Kitchen changed",
		})
	})
}

func TestRecordsComeInAnyOrderAndNumberOfPackets(t *testing.T) {
	s := kitchen()
	s.airplay = nil
	pieces := []dns.RR{s.pointer("_raop._tcp", 4500), s.server("_raop._tcp", 120), s.text("_raop._tcp", 4500), s.addrs(120)[0]}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}} {
		live(t, discovery.Config{}, func(h *house) {
			for _, i := range order {
				h.send(packet(pieces[i]))
				h.wait(10 * time.Millisecond)
			}
			h.wait(time.Second)
			if got := h.told(); len(got) != 1 {
				t.Errorf("in the order %v: got %q, want one event", order, got)
			}
			want(t, h.device(s.id()).RAOP.TXT["am"], "AirPort10,115")
		})
	}
}

func TestWhatIsMissingIsAskedFor(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.Questions()
		h.send(packet(s.pointer("_raop._tcp", 4500)))
		h.wait(300 * time.Millisecond)
		want(t, h.Questions(), []string{s.instance("_raop._tcp") + " SRV", s.instance("_raop._tcp") + " TXT"})

		h.send(packet(s.server("_raop._tcp", 120), s.text("_raop._tcp", 4500)))
		h.wait(300 * time.Millisecond)
		want(t, h.Questions(), []string{"kitchen.local. A", "kitchen.local. AAAA"})

		h.send(packet(s.addrs(120)...))
		h.wait(350 * time.Millisecond)
		want(t, h.told(), []string{"900ms 0011324A5B6C Kitchen here"})
	})
}

func TestADeviceWithoutTXTIsTold(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.send(packet(append(s.addrs(120), s.server("_raop._tcp", 120))...))
		h.wait(2 * time.Second)
		want(t, h.told(), []string{"1.02s 0011324A5B6C Kitchen here"})
		want(t, h.device(s.id()).RAOP.TXT, map[string]string{})
	})
}

func TestOnlyRealChangesAreTold(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		h.say(s)
		h.say(s)
		h.wait(10 * time.Second)
		want(t, h.told(), []string{})

		s.raop["sf"], s.airplay["flags"] = "0x20004", "0x20004"
		h.say(s)
		h.wait(time.Second)
		want(t, h.told(), []string{"15.1s 0011324A5B6C Kitchen changed"})
		want(t, h.device(s.id()).AirPlay.TXT["flags"], "0x20004")
	})
}

func TestANewAddressIsAChange(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		s.v4 = []string{"192.168.1.77"}
		h.send(packet(s.addrs(120)...))
		h.wait(5 * time.Second)
		// Both addresses hold for the second that RFC 6762 gives the old one.
		want(t, h.told(), []string{
			"5.1s 0011324A5B6C Kitchen changed",
			"6.1s 0011324A5B6C Kitchen changed",
		})
		want(t, h.device(s.id()).Addrs, []netip.Addr{netip.MustParseAddr("192.168.1.77")})
	})
}

func TestALostAddressMayComeBack(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		h.cut()
		h.send(packet(s.addrs(0)...))
		h.wait(4 * time.Second)
		s.v4 = []string{"192.168.1.77"}
		h.send(packet(s.addrs(120)...))
		h.wait(4 * time.Second)
		want(t, h.told(), []string{"9.1s 0011324A5B6C Kitchen changed"})

		h.send(packet(s.addrs(0)...))
		h.wait(time.Minute)
		want(t, h.told(), []string{"24s 0011324A5B6C Kitchen gone"})
	})
}

func TestGoodbye(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		h.cut()
		h.bye(s)
		h.wait(5 * time.Second)
		want(t, h.told(), []string{"6s 0011324A5B6C Kitchen gone"})
	})
}

func TestAGoodbyeCanBeTakenBack(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		h.bye(s)
		h.wait(900 * time.Millisecond)
		h.say(s)
		h.wait(5 * time.Second)
		want(t, h.told(), []string{})
	})
}

func TestAGoodbyeOfOneServiceIsAChange(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		h.send(s.goodbye("_raop._tcp"))
		s.raop = nil
		h.wait(5 * time.Second)
		want(t, h.told(), []string{"6.1s 0011324A5B6C Kitchen changed"})
		if d := h.device(s.id()); d.RAOP != nil || d.AirPlay == nil {
			t.Errorf("got RAOP %v and AirPlay %v, want AirPlay only", d.RAOP, d.AirPlay)
		}
	})
}

func TestRecordsThatExpireAreAskedForFirst(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		s.airplay, s.ttl = nil, 20
		h.switchOn(s)
		h.wait(8 * time.Second) // the round at 7 s was the last that it answered
		h.cut()
		h.Questions()
		h.told()
		h.wait(18 * time.Second)
		if got := h.Questions(); len(got) < 8 {
			t.Errorf("got the questions %q, want some for SRV and for addresses", got)
		}
		h.wait(12 * time.Second)
		want(t, h.told(), []string{"27s 0011324A5B6C Kitchen gone"})
	})
}

func TestASilentDeviceIsGoneAfterThreeRounds(t *testing.T) {
	live(t, discovery.Config{Interval: 10 * time.Second}, func(h *house) {
		s := kitchen()
		s.ttl = 4500
		h.settle(s)
		h.cut()
		h.wait(28 * time.Second)
		want(t, h.told(), []string{})
		h.wait(time.Minute)
		want(t, h.told(), []string{"36s 0011324A5B6C Kitchen gone"})
	})
}

func TestWhoLooksAtOnceFindsAtOnce(t *testing.T) {
	live(t, discovery.Config{Interval: 10 * time.Minute}, func(h *house) {
		h.wait(30 * time.Minute) // rounds are far apart by now
		h.mu.Lock()
		h.speakers = []*speaker{kitchen()} // it says nothing by itself
		h.mu.Unlock()
		h.wait(time.Minute)
		want(t, h.told(), []string{})
		h.look <- struct{}{}
		h.wait(3 * time.Second)
		want(t, h.told(), []string{"31m0.02s 0011324A5B6C Kitchen here"})
	})
}

func TestADeviceThatMissesARoundIsNotGone(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		h.wait(5 * time.Minute)
		for range 40 {
			h.cut()
			h.wait(50 * time.Second) // mostly a round without an answer
			h.mu.Lock()
			h.speakers = []*speaker{s}
			h.mu.Unlock()
			h.wait(75 * time.Second)
		}
		want(t, h.told(), []string{})
	})
}

func TestADeviceStaysForAsLongAsItAnswers(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.settle(s)
		h.wait(24 * time.Hour)
		want(t, h.told(), []string{})
		if n := len(h.Questions()); n > 2*24*60+50 {
			t.Errorf("got %d questions in a day, want one round a minute", n)
		}
	})
}

func TestADeviceMayChangeItsName(t *testing.T) {
	for name, goodbye := range map[string]bool{"with a goodbye": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			live(t, discovery.Config{}, func(h *house) {
				s := kitchen()
				h.settle(s)
				if goodbye {
					h.bye(s)
				}
				s.name = "Bath"
				h.say(s)
				h.wait(10 * time.Minute)
				want(t, h.told(), []string{"5.12s 0011324A5B6C Bath changed"})
			})
		})
	}
}

func TestNamesAreWhatPeopleWrote(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"Küche (1).x", "Küche (1).x"},
		{`Ann's "loud" \ box; @home`, `Ann's "loud" \ box; @home`},
		{"居間", "居間"},
		{"\x1b[31mred\x07 ", "[31mred"},
		{"cut in a letter \xc3", "cut in a letter"},
		{"dot.", "dot."},
	} {
		live(t, discovery.Config{}, func(h *house) {
			s := kitchen()
			s.name = c.name
			h.settle(s)
			want(t, h.device(s.id()).Name, c.want)
			s.airplay = nil
			h.send(s.goodbye("_airplay._tcp"))
			h.wait(3 * time.Second)
			want(t, h.device(s.id()).Name, c.want)
		})
	}
}

func TestCaseMakesNoDifference(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		h.send(packet(
			&dns.SRV{Hdr: header(`0011324a5b6c\@Kitchen._RAOP._Tcp.LOCAL.`, dns.TypeSRV, flush, 120), Port: 5000, Target: "Kitchen.Local."},
			&dns.TXT{Hdr: header(`0011324A5B6C\@kitchen._raop._tcp.local.`, dns.TypeTXT, flush, 120), Txt: []string{"AM=x", "am=y", "=z", "da"}},
			&dns.A{Hdr: header("KITCHEN.local.", dns.TypeA, flush, 120), A: []byte{192, 168, 1, 20}},
		))
		h.wait(time.Second)
		want(t, h.device(s.id()).RAOP.TXT, map[string]string{"am": "x", "da": ""})
	})
}
