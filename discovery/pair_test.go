package discovery_test

import (
	"net/netip"
	"testing"
	"time"

	"airplay2mqtt/discovery"
)

// half is a HomePod of a stereo pair, as seen in OwnTone's issues 1291 and 1413.
func half(mac, name, flags string) *speaker {
	last := mac[len(mac)-2:]
	return &speaker{
		mac: mac, name: name, host: "homepod-" + last, v4: []string{"192.168.1.1" + last},
		raop: map[string]string{"am": "AudioAccessory1,1", "sf": flags},
		airplay: map[string]string{
			"deviceid": mac, "model": "AudioAccessory1,1", "flags": flags,
			"tsid": "6E3C4CD2-1D38-4AE8-B2B8-9C1D8F0E2A11", "gpn": "Living Room",
		},
	}
}

const (
	left  = "D0C5F3000001"
	right = "D0C5F3000002"
)

func halves(leftFlags, rightFlags string) (l, r *speaker) {
	return half("D0:C5:F3:00:00:01", "Left", leftFlags), half("D0:C5:F3:00:00:02", "Right", rightFlags)
}

func TestAStereoPairIsOneDevice(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		l, r := halves("0x98404", "0x9a404")
		h.switchOn(l, r)
		h.wait(5 * time.Second)
		want(t, h.told(), []string{"320ms " + right + " Living Room here"})
		d := h.device(right)
		want(t, d.Followers, []string{left})
		want(t, d.Addrs, []netip.Addr{netip.MustParseAddr("192.168.1.102")})
	})
}

func TestAnUndecidedPairIsTheLowestAndStaysSo(t *testing.T) {
	for _, flags := range []string{"0x98404", "0x9a404"} { // none leads, both lead
		live(t, discovery.Config{}, func(h *house) {
			l, r := halves(flags, flags)
			h.switchOn(r, l)
			h.wait(5 * time.Second)
			want(t, h.told(), []string{"320ms " + left + " Living Room here"})

			// The one that was decided for is remembered when both claim it.
			r.airplay["flags"], l.airplay["flags"] = "0x9a404", "0x98404"
			h.say(l)
			h.say(r)
			h.wait(time.Second)
			l.airplay["flags"] = "0x9a404"
			h.say(l)
			h.wait(time.Second)
			if got := h.device(right).Followers; len(got) != 1 {
				t.Errorf("got the followers %q of the right half, want the left", got)
			}
		})
	}
}

func TestTwoDevicesBecomeAPairAndPartAgain(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		l, r := halves("0x4", "0x4")
		pair := l.airplay["tsid"]
		delete(l.airplay, "tsid")
		delete(r.airplay, "tsid")
		h.settle(l, r)
		want(t, h.device(left).Name, "Left")

		l.airplay["tsid"], r.airplay["tsid"], l.airplay["flags"] = pair, pair, "0x9a404"
		h.say(l)
		h.say(r)
		h.wait(time.Second)
		want(t, h.told(), []string{
			"5.02s " + right + " Right follows " + left,
			"5.1s " + left + " Living Room changed",
		})

		delete(l.airplay, "tsid")
		delete(r.airplay, "tsid")
		h.say(l)
		h.say(r)
		h.wait(time.Second)
		want(t, h.told(), []string{
			"6.02s " + right + " Right here",
			"6.1s " + left + " Left changed",
		})
	})
}

func TestAFollowerIsHiddenWhileItsLeaderRestarts(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		l, r := halves("0x9a404", "0x98404")
		h.settle(l, r)
		h.mu.Lock()
		h.speakers = []*speaker{r}
		h.mu.Unlock()
		h.bye(l)
		h.wait(5 * time.Minute)
		want(t, h.told(), []string{"6s " + left + " Living Room gone"})
		h.switchOn(l)
		h.wait(time.Minute)
		want(t, h.told(), []string{"5m5.3s " + left + " Living Room here"})
	})
}

func TestALeaderIsNotRememberedForEver(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		l, r := halves("0x9a404", "0x98404")
		h.settle(l, r)
		h.mu.Lock()
		h.speakers = []*speaker{r}
		h.mu.Unlock()
		h.bye(l)
		h.wait(20 * time.Minute)
		got := h.told()
		if len(got) != 2 {
			t.Fatalf("got %q, want that the left one is gone and the right one is here", got)
		}
		want(t, h.device(right).Name, "Living Room")
	})
}

func TestAHalfAloneIsTold(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		l, _ := halves("0x98404", "")
		h.switchOn(l)
		h.wait(10 * time.Second)
		want(t, h.told(), []string{"3.02s " + left + " Living Room here"})
	})
	live(t, discovery.Config{}, func(h *house) {
		l, _ := halves("0x9a404", "")
		h.switchOn(l)
		h.wait(10 * time.Second)
		want(t, h.told(), []string{"320ms " + left + " Living Room here"})
	})
}

func TestAFollowerThatGoesIsAChangeOfItsLeader(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		l, r := halves("0x9a404", "0x98404")
		h.settle(l, r)
		h.bye(r)
		h.mu.Lock()
		h.speakers = []*speaker{l}
		h.mu.Unlock()
		h.wait(time.Minute)
		want(t, h.told(), []string{"6.1s " + left + " Living Room changed"})
	})
}
