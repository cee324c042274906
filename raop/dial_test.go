package raop_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"flag"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// always draws the same numbers.
type always byte

func (a always) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(a)
	}
	return len(b), nil
}

// methods are what was asked, in order.
func methods(rx *raoptest.Receiver) string {
	var all []string
	for line := range strings.Lines(rx.Transcript()) {
		words := strings.Fields(line)
		if len(words) >= 2 && words[0] == ">" && !strings.HasSuffix(words[1], ":") && strings.Trim(words[1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			all = append(all, words[1])
		}
	}
	return strings.Join(all, " ")
}

func level(f float64) *float64 { return &f }

func TestStartLadder(t *testing.T) {
	inHouse(t, raoptest.Config{ID: "020102030405"}, func(h *house) {
		s := h.dial(raop.Config{Rand: always(0x42), Volume: level(0.5), Name: "Test"})
		time.Sleep(time.Second)
		s.Close()
		golden(h.T, "testdata/ladder.txt", h.rx.Transcript())
	})
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// Every oddity that a receiver may have and still must be heard.
func TestOddReceiversAreHeard(t *testing.T) {
	key := testKey()
	for _, c := range []struct {
		name string
		rx   raoptest.Config
		tx   raop.Config
		want string // methods, if they matter
	}{
		{"no Content-Length", raoptest.Config{NoContentLength: true}, raop.Config{}, ""},
		{"wrong CSeq", raoptest.Config{WrongCSeq: true}, raop.Config{}, ""},
		{"byte by byte", raoptest.Config{Drips: true}, raop.Config{}, ""},
		{"lower-case headers", raoptest.Config{LowerCase: true}, raop.Config{}, ""},
		{"AirConnect", raoptest.Config{SessionID: "DEADBEEF;timeout=60"}, raop.Config{}, ""},
		{"Apple TV 4", raoptest.Config{ZeroTimingPort: true, AudioLatency: 3035, Model: "AppleTV6,2"}, raop.Config{}, ""},
		{"no Audio-Latency", raoptest.Config{AudioLatency: -1}, raop.Config{}, ""},
		{"large Audio-Latency", raoptest.Config{AudioLatency: 99225}, raop.Config{}, ""},
		{"HomePod", raoptest.Config{AsksTimeAtSetup: true, QuietLimit: 30 * time.Second}, raop.Config{}, ""},
		{"AirPort Express g", raoptest.Config{Key: key, NeedsKey: true, RecordWaitsForTime: true, UpperDigest: true, Password: "secret",
			TXT: map[string]string{"am": ""}}, raop.Config{AirportKey: &key.PublicKey, Password: "secret"}, ""},
		{"RSA wanted, not said", raoptest.Config{Key: key, NeedsKey: true, TXT: map[string]string{"et": ""}},
			raop.Config{AirportKey: &key.PublicKey}, "ANNOUNCE ANNOUNCE SETUP RECORD GET_PARAMETER"},
		{"RSA told, not wanted", raoptest.Config{RefusesKeys: true, TXT: map[string]string{"et": "0,1", "am": "AirPort4,107"}},
			raop.Config{}, "ANNOUNCE ANNOUNCE SETUP RECORD GET_PARAMETER"},
		{"Sonos", raoptest.Config{NeedsAuthSetup: true, RefusesEarlyVolume: true}, raop.Config{Volume: level(0.3)},
			"POST ANNOUNCE SETUP SET_PARAMETER RECORD SET_PARAMETER"},
		{"auth-setup wanted, not said", raoptest.Config{NeedsAuthSetup: true, TXT: map[string]string{"et": "0,4", "ft": "", "vs": "190.9"}},
			raop.Config{}, "ANNOUNCE POST ANNOUNCE SETUP RECORD GET_PARAMETER"},
		{"Marantz NR1506", raoptest.Config{AuthSetupFails: true, TXT: map[string]string{"et": "0,4", "vs": "220.68", "ft": "0x44000200"}},
			raop.Config{}, "POST ANNOUNCE SETUP RECORD GET_PARAMETER"},
		{"auth-setup unknown", raoptest.Config{Answers: map[string]int{"POST": 404}}, raop.Config{Auth: raop.AuthSetup},
			"POST ANNOUNCE SETUP RECORD GET_PARAMETER"},
		{"PCM only", raoptest.Config{TXT: map[string]string{"cn": "0"}}, raop.Config{}, ""},
		{"password", raoptest.Config{Password: "geheim"}, raop.Config{Password: "geheim"}, "ANNOUNCE ANNOUNCE SETUP RECORD GET_PARAMETER"},
		{"odd challenge", raoptest.Config{Password: "geheim", Challenge: `Digest nonce="a=b,c==", realm="my \"home\"", opaque="o=", qop="auth", algorithm=MD5`},
			raop.Config{Password: "geheim"}, ""},
		{"first timing replies lost", raoptest.Config{IgnoresFirstReplies: 2}, raop.Config{}, ""},
		{"volume overwritten", raoptest.Config{OverwritesVolume: true}, raop.Config{Volume: level(0.5)}, ""},
		{"volume not told", raoptest.Config{Answers: map[string]int{"GET_PARAMETER": 501}}, raop.Config{}, ""},
		{"knows nothing of itself", raoptest.Config{Mutes: 9}, raop.Config{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, c.rx, func(h *house) {
				s := h.dial(c.tx)
				asked := methods(h.rx)
				song := counting(20000)
				h.play(s, song, pace{from: leadIn, lead: max(time.Second, s.MinLead())})
				time.Sleep(3 * time.Second)
				if got := sound(h.rx.Heard()); !slices.Equal(got, song) {
					h.Errorf("heard %d frames, want %d", len(got), len(song))
				}
				if c.want != "" && asked != c.want {
					h.Errorf("asked %s, want %s", asked, c.want)
				}
				if v := c.tx.Volume; v != nil && h.rx.Volume() != 30*(*v-1) {
					h.Errorf("volume: got %v, want %v", h.rx.Volume(), 30*(*v-1))
				}
			})
		})
	}
}

func TestRefusalsAreTold(t *testing.T) {
	for _, c := range []struct {
		name string
		rx   raoptest.Config
		tx   raop.Config
		want error  // nil: any
		text string // in the error
		code int
	}{
		{"password missing", raoptest.Config{Password: "geheim"}, raop.Config{}, raop.ErrPassword, "announce: 401", 401},
		{"password wrong", raoptest.Config{Password: "geheim"}, raop.Config{Password: "x"}, raop.ErrPassword, "refused the one", 401},
		{"busy", raoptest.Config{Busy: true}, raop.Config{}, raop.ErrBusy, "announce: 453", 453},
		{"busy as shairport-sync 5", raoptest.Config{ResetsOnAccept: true}, raop.Config{}, raop.ErrBusy, "hung up", 0},
		{"pairing", raoptest.Config{Answers: map[string]int{"ANNOUNCE": 470}}, raop.Config{}, raop.ErrPairing, "announce: 470", 470},
		{"pairing by PIN", raoptest.Config{Answers: map[string]int{"ANNOUNCE": 403}, TXT: map[string]string{"pk": "aa", "sf": "0x200"}},
			raop.Config{}, raop.ErrPairing, "announce: 403", 403},
		{"timing blocked at SETUP", raoptest.Config{Answers: map[string]int{"SETUP": 520}}, raop.Config{}, raop.ErrTiming, "setup: 520", 520},
		{"timing blocked at RECORD", raoptest.Config{NeverAsksTime: true, RecordWaitsForTime: true}, raop.Config{}, raop.ErrTiming, "record: ", 0},
		{"RECORD fails", raoptest.Config{Answers: map[string]int{"RECORD": 454}}, raop.Config{}, nil, "record: 454 As Told", 454},
		{"SETUP fails", raoptest.Config{Answers: map[string]int{"SETUP": 400}}, raop.Config{}, nil, "setup: 400", 400},
		{"ANNOUNCE fails", raoptest.Config{Answers: map[string]int{"ANNOUNCE": 415}}, raop.Config{}, nil, "announce: 415", 415},
		{"ANNOUNCE hangs", raoptest.Config{Delays: map[string]time.Duration{"ANNOUNCE": -1}}, raop.Config{}, os.ErrDeadlineExceeded, "announce: no answer", 0},
		{"SETUP hangs", raoptest.Config{Delays: map[string]time.Duration{"SETUP": -1}}, raop.Config{}, os.ErrDeadlineExceeded, "setup: no answer", 0},
		{"RECORD hangs", raoptest.Config{Delays: map[string]time.Duration{"RECORD": -1}}, raop.Config{}, os.ErrDeadlineExceeded, "record: no answer", 0},
		{"volume hangs", raoptest.Config{Delays: map[string]time.Duration{"SET_PARAMETER": -1}}, raop.Config{Volume: level(1)}, os.ErrDeadlineExceeded, "set_parameter: no answer", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, c.rx, func(h *house) {
				s, err := h.try(c.tx)
				if err == nil {
					s.Close()
					h.Fatal("got a session, want an error")
				}
				if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) ||
					!strings.HasPrefix(err.Error(), "raop: dial 10.0.0.20:5000: ") {
					h.Errorf("got %v, want %v with %q", err, c.want, c.text)
				}
				var status *raop.StatusError
				if errors.As(err, &status); c.code != 0 && (status == nil || status.Code != c.code) {
					h.Errorf("got status %v, want %d", status, c.code)
				}
				h.rx.Close()
				synctest.Wait()
			})
		})
	}
}

func TestNobodyThere(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		h.rx.Close()
		if _, err := h.try(raop.Config{}); !errors.Is(err, syscall.ECONNREFUSED) {
			h.Errorf("got %v, want ECONNREFUSED", err)
		}
		begun := time.Now()
		_, err := raop.Dial(h.Context(), "10.0.0.99:5000", raop.Info{}, h.config(raop.Config{}))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
			h.Errorf("got %v after %v, want context.DeadlineExceeded after 3s", err, time.Since(begun))
		}
	})
}

func TestDialEndsWithItsContext(t *testing.T) {
	for _, method := range []string{"ANNOUNCE", "SETUP", "RECORD", "GET_PARAMETER"} {
		inHouse(t, raoptest.Config{Delays: map[string]time.Duration{method: -1}}, func(h *house) {
			ctx, cancel := context.WithTimeout(h.Context(), 100*time.Millisecond)
			defer cancel()
			begun := time.Now()
			_, err := raop.Dial(ctx, h.rx.Addr(), raop.Info{}, h.config(raop.Config{}))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 110*time.Millisecond {
				h.Errorf("%s: got %v after %v, want context.DeadlineExceeded", method, err, time.Since(begun))
			}
			h.rx.Close()
		})
	}
}

func TestDialDoesNotWaitLongForTiming(t *testing.T) {
	inHouse(t, raoptest.Config{NeverAsksTime: true}, func(h *house) {
		begun := time.Now()
		s := h.dial(raop.Config{})
		if took := time.Since(begun); took > 400*time.Millisecond {
			h.Errorf("took %v, want 350ms and some round trips", took)
		}
		if got, want := s.Confidence(), "unknown"; got != want {
			h.Errorf("confidence: got %s, want %s", got, want)
		}
	})
}

func TestPortsComeFromTheRangeGiven(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		if _, err := h.us.ListenPacket("udp", ":6000"); err != nil {
			h.Fatal(err)
		}
		h.dial(raop.Config{FirstPort: 6000, LastPort: 6002})
		if got, want := h.rx.Transcript(), "control_port=6001;timing_port=6002"; !strings.Contains(got, want) {
			h.Errorf("got no %s in\n%s", want, got)
		}
		_, err := raop.Dial(h.Context(), h.rx.Addr(), raop.Info{}, h.config(raop.Config{FirstPort: 6000, LastPort: 6002}))
		if !errors.Is(err, syscall.EADDRINUSE) {
			h.Errorf("got %v, want EADDRINUSE", err)
		}
	})
}

func TestReceiverIsFreeAfterClose(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		if _, err := h.try(raop.Config{}); !errors.Is(err, raop.ErrBusy) {
			h.Errorf("while it plays: got %v, want ErrBusy", err)
		}
		s.Close()
		h.dial(raop.Config{})
	})
}

func TestFactsAreWorthRemembering(t *testing.T) {
	inHouse(t, raoptest.Config{NeedsAuthSetup: true, AudioLatency: 4410, TXT: map[string]string{"et": "", "ft": ""}}, func(h *house) {
		want := raop.Facts{Auth: raop.AuthSetup, AudioLatency: 100 * time.Millisecond, Server: "AirTunes/105.1"}
		if got := h.dial(raop.Config{}).Facts(); got != want {
			h.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestLeadDependsOnTheReceiver(t *testing.T) {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	for _, c := range []struct {
		record string
		said   int
		tx     raop.Config
		want   time.Duration
	}{
		{shairport, 11025, raop.Config{}, ms(250)},
		{shairport, 11025, raop.Config{Announce: raop.Plain}, ms(500)},
		{shairport, 11025, raop.Config{Floor: ms(180)}, ms(180)},
		{shairport, 11025, raop.Config{Offset: -ms(100)}, ms(350)},
		{shairport, 11025, raop.Config{Offset: ms(100)}, ms(250)},
		{"am=Unknown", -1, raop.Config{}, ms(500)},
		{"am=Unknown", 2205, raop.Config{}, ms(300)},
		{"am=Unknown", 99225, raop.Config{}, ms(2500)},
		{"am=AppleTV6,2", 2205, raop.Config{}, ms(300)},
		{"am=AirPort10,115", 4410, raop.Config{}, ms(390)},
		{"am=AirPort4,107", -1, raop.Config{}, ms(600)},
		{"manufacturer=Linkplay am=X", 11025, raop.Config{}, ms(1750)},
		{"", 11025, raop.Config{}, ms(500)},
	} {
		inHouse(t, raoptest.Config{AudioLatency: c.said, Jack: true}, func(h *house) {
			s, err := raop.Dial(h.Context(), h.rx.Addr(), raop.ParseInfo(txt(c.record)), h.config(c.tx))
			if err != nil {
				h.Fatal(err)
			}
			defer s.Close()
			if got := s.MinLead(); got != c.want {
				h.Errorf("%s, Audio-Latency %d: got %v, want %v", c.record, c.said, got, c.want)
			}
		})
	}
}

func TestShairportIsKnownWithoutItsRecord(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s, err := raop.Dial(h.Context(), h.rx.Addr(), raop.Info{}, h.config(raop.Config{}))
		if err != nil {
			h.Fatal(err)
		}
		defer s.Close()
		if got := s.MinLead(); got != 250*time.Millisecond {
			h.Errorf("got %v, want its floor of 250ms, and not the 500ms that it says", got)
		}
	})
}

func TestDialByIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		h := &house{T: t, lan: lan, us: lan.Host("fd00::1")}
		h.rx = h.receiver("fd00::20", raoptest.Config{})
		s := h.dial(raop.Config{})
		song := counting(20000)
		tl := h.play(s, song, pace{from: leadIn})
		time.Sleep(2 * time.Second)
		h.heard(song, tl.At(0))
		for _, want := range []string{"ANNOUNCE rtsp://[fd00::1]/", "IN IP6 fd00::1\n", "c=IN IP6 fd00::20\n"} {
			if !strings.Contains(h.rx.Transcript(), want) {
				t.Errorf("got no %q in\n%s", want, h.rx.Transcript())
			}
		}
	})
}

// On this machine's own network nothing of it is different.
func TestDialOnLoopback(t *testing.T) {
	rx, err := raoptest.New(raoptest.Config{Name: "Loop"})
	if err != nil {
		t.Fatal(err)
	}
	defer rx.Close()
	for _, cfg := range []*raop.Config{nil, {Volume: level(0.2), ListenPacket: net.ListenPacket}} {
		s, err := raop.Dial(t.Context(), rx.Addr(), raop.ParseInfo(rx.TXT()), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Confidence(); got != "clock_locked" {
			t.Errorf("confidence: got %s, want clock_locked", got)
		}
		s.Close()
	}
}
