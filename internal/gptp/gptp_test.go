package gptp_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/internal/gptp"
)

var us = gptp.PortID{Clock: 0x0211_32ff_fe4a_5b6c, Port: 0x8005}

// bytesOf reads lines of hexadecimal digits with comments behind #.
func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const clock = "0211 32ff fe4a 5b6c"

// messages are datagrams as they go over the wire, after
// docs/protocols/airplay2.md, PTP.
var messages = []struct {
	name, text string
	message    interface{ AppendTo([]byte) []byte }
}{
	{"announce", `
		1b 02 004c 00 00 0408      # announce, 76 bytes, unicast, its own timescale
		0000000000000000 00000000  # no correction
		` + clock + ` 8005 0007 05 00 # from, number 7, each second
		000000000000 00000000      # origin
		0000 00 80 06 21 436a 80   # UTC offset, priorities around the quality
		` + clock + ` 0000 20      # grandmaster, no steps, an oscillator
		0008 0008 ` + clock + `    # the way it came`,
		gptp.NewAnnounce(us, 7)},
	{"sync", `
		10 02 002c 00 00 0608      # sync, 44 bytes, the time follows
		0000000000000000 00000000
		` + clock + ` 8005 0008 00 fd # eight a second
		000000000000 00000000`,
		gptp.NewSync(us, 8)},
	{"follow up", `
		18 02 0060 00 00 0408
		0000000000000000 00000000
		` + clock + ` 8005 0008 02 fd
		000000000002 00000003      # two seconds and three nanoseconds
		0003 001c 0080c2 000001 0000000000000000000000000000000000000000 0000
		0003 0010 000d93 000004 ` + clock + ` 0000`,
		gptp.NewFollowUp(us, 8, 2_000_000_003)},
	{"delay request", `
		11 02 002c 00 00 0408
		0000000000000000 00000000
		` + clock + ` 8005 0009 01 7f
		000000000000 00000000`,
		gptp.NewDelayReq(us, 9)},
	{"delay response", `
		19 02 0036 00 00 0608
		0000000000000000 00000000
		` + clock + ` 8005 0102 03 fd # the number of the question
		000000000001 3b9ac9ff      # it came at 1.999999999 s
		aabb ccff fedd eeff 8006   # to who asked`,
		gptp.NewAnswer(gptp.TypeDelayResp, us, asked, 1_999_999_999)},
	{"peer delay response", `
		13 02 0036 00 00 0608
		0000000000000000 00000000
		` + clock + ` 8005 0102 05 7f
		000000000001 3b9ac9ff
		aabb ccff fedd eeff 8006`,
		gptp.NewAnswer(gptp.TypePdelayResp, us, asked, 1_999_999_999)},
	{"peer delay response follow up", `
		1a 02 0036 00 00 0408
		0000000000000000 00000000
		` + clock + ` 8005 0102 05 7f
		000000000002 00000000      # the answer left at 2 s
		aabb ccff fedd eeff 8006`,
		gptp.NewAnswer(gptp.TypePdelayRespFollowUp, us, asked, 2_000_000_000)},
	{"signaling", `
		1c 02 006a 00 00 0408
		0000000000000000 00000000
		` + clock + ` 8005 000a 05 80
		0000000000000000 0000      # to all
		0003 0016 000d93 000001 00000301 000000000000000000000000
		0003 0020 000d93 000005 00000301 00000000000000000000000000000000000000000000`,
		gptp.NewSignaling(us, 10)},
	{"grant", `
		1c 02 0038 00 00 0408
		0000000000000000 00000000
		` + clock + ` 8005 000b 05 80
		aabb ccff fedd eeff 8006
		0005 0008 b0 00 0000012c 00 01 # announces, each second, for 300 s, and on if asked`,
		grant},
}

var asked = gptp.Header{Type: gptp.TypeDelayReq, Source: gptp.PortID{Clock: 0xaabbccfffeddeeff, Port: 0x8006}, Seq: 0x102}

var grant = func() gptp.Signaling {
	s := gptp.NewSignaling(us, 11)
	s.Target = asked.Source
	s.Grants = []gptp.Unicast1588{{Type: gptp.TypeAnnounce, Duration: 300}}
	return s
}()

func TestMessagesOnTheWire(t *testing.T) {
	for _, c := range messages {
		got, want := c.message.AppendTo(nil), bytesOf(t, c.text)
		if d := cmp.Diff(hex.Dump(want), hex.Dump(got)); d != "" {
			t.Errorf("%s: want -, got +:\n%s", c.name, d)
		}
	}
}

// reread returns what a datagram says, as the value of its kind.
func reread(b []byte) (interface{ AppendTo([]byte) []byte }, error) {
	var h gptp.Header
	if err := h.Unmarshal(b); err != nil {
		return nil, err
	}
	switch h.Type {
	case gptp.TypeAnnounce:
		var m gptp.Announce
		err := m.Unmarshal(b)
		return m, err
	case gptp.TypeSignaling:
		var m gptp.Signaling
		err := m.Unmarshal(b)
		return m, err
	case gptp.TypeDelayResp, gptp.TypePdelayResp, gptp.TypePdelayRespFollowUp:
		var m gptp.Answer
		err := m.Unmarshal(b)
		return m, err
	}
	var m gptp.Stamp
	err := m.Unmarshal(b)
	return m, err
}

func TestMessagesAreReadAsTheyWereWritten(t *testing.T) {
	for _, c := range messages {
		b := c.message.AppendTo(nil)
		m, err := reread(append(b, 0, 0)) // padding of a network is left out
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := cmp.Diff(hex.Dump(b), hex.Dump(m.AppendTo(nil))); d != "" {
			t.Errorf("%s: want -, got +:\n%s", c.name, d)
		}
	}
}

func TestRequestsForUnicastAreRead(t *testing.T) {
	b := bytesOf(t, `
		1c 02 0042 00 00 0400 0000000000000000 00000000 aabb ccff fedd eeff 8006 0001 05 7f
		ffff ffff ffff ffff ffff
		0001 0002 0000             # something else
		0004 0006 b0 00 0000012c   # announces
		00ff 0000                  # nothing`)
	b = append(b[:len(b):len(b)], 0)
	b[3] = byte(len(b) - 1)
	var s gptp.Signaling
	if err := s.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	want := []gptp.Unicast1588{{Type: gptp.TypeAnnounce, Duration: 300}}
	if d := cmp.Diff(want, s.Requests); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	whole := gptp.NewSync(us, 1).AppendTo(nil)
	with := func(at int, to ...byte) []byte {
		b := append([]byte(nil), whole...)
		copy(b[at:], to)
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":              nil,
		"short":                whole[:33],
		"plain IEEE 1588":      with(0, 0x00),
		"another version":      with(1, 3),
		"longer than it is":    with(2, 0, 200),
		"shorter than a sync":  with(2, 0, 40),
		"of an unknown kind":   with(0, 0x1f),
		"a billion and more":   with(40, 0xff),
		"a time beyond belief": with(34, 0xff),
	} {
		if _, err := reread(b); !errors.Is(err, gptp.ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, c := range messages {
		f.Add(c.message.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := reread(b); err == nil {
			if _, err := reread(m.AppendTo(nil)); err != nil {
				t.Errorf("what was read is refused when written: %v", err)
			}
		}
	})
}
