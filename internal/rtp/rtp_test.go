package rtp_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"airplay2mqtt/internal/rtp"
)

const now = 0x83aaaeb9adcc78a5 // 12345.678901234 s

// Every datagram as value and as bytes, used both ways.
var datagrams = []struct {
	name  string
	bytes string
	value appender
}{
	{"first packet", "80e0 1a2b 12345678 0a0b0c0d", rtp.Header{Marker: true, Seq: 6699, Time: 0x12345678, SSRC: 0x0a0b0c0d}},
	{"next packet", "8060 1a2c 123457d8 0a0b0c0d", rtp.Header{Seq: 6700, Time: 0x123457d8, SSRC: 0x0a0b0c0d}},
	{"first sync", "90d4 0007 1232fdf0 83aaaeb9adcc78a5 12345678", rtp.Sync{First: true, Field: 7, Time: 0x12345678, Latency: 88200, Now: now}},
	{"later sync", "80d4 0007 1232fdf0 83aaaeb9adcc78a5 12345678", rtp.Sync{Field: 7, Time: 0x12345678, Latency: 88200, Now: now}},
	{"smaller latency", "90d4 0007 12342b67 83aaaeb9adcc78a5 12345678", rtp.Sync{First: true, Field: 7, Time: 0x12345678, Latency: 11025, Now: now}},
	{"sync as iOS writes it", "90d4 0004 12342b67 83aaaeb9adcc78a5 12345678", rtp.Sync{First: true, Field: rtp.FieldIOS, Time: 0x12345678, Latency: 11025, Now: now}},
	{"sync that wraps", "80d4 0007 fffeb778 83aaaeb9adcc78a5 00001000", rtp.Sync{Field: 7, Time: 0x1000, Latency: 88200, Now: now}},
	{"timing request", "80d2 0007 00000000 0000000000000000 0000000000000000 83ac004d6e9e1b08", rtp.Timing{Field: 7, Sent: 0x83ac004d6e9e1b08}},
	{"shairport's request", "80d2 0007 00000000 0000000000000000 0000000000000000 0000000000000000", rtp.Timing{Field: 7}},
	{"timing reply", "80d3 0007 00000000 83ac004d6e9e1b08 83aaaeb9adcc78a5 83aaaeb9adcfbf81", rtp.Timing{Reply: true, Field: 7, Reference: 0x83ac004d6e9e1b08, Received: now, Sent: 0x83aaaeb9adcfbf81}},
	{"resend request", "80d5 0001 1a2b 0002", rtp.ResendRequest{First: 6699, Count: 2}},
	{"shairport's resend request", "80d5 0001 03f2 0001", rtp.ResendRequest{First: 1010, Count: 1}},
	{"first PTP sync", "90d7 0006 12345678 000000024cb016ea 123583ed 021132fffe4a5b6c", rtp.PTPSync{First: true, Time: 0x12345678, Latency: 77173, Now: 9876543210, Clock: 0x021132fffe4a5b6c}},
	{"PTP sync that wraps", "80d7 0006 fffff000 000000024cb016ea 00011d77 021132fffe4a5b6c", rtp.PTPSync{Time: 0xfffff000, Latency: 77175, Now: 9876543210, Clock: 0x021132fffe4a5b6c}},
	{"head of a resend", "80d6 1a2b", rtp.Resend{Seq: 6699}},
}

type appender interface{ AppendTo([]byte) []byte }

func TestDatagrams(t *testing.T) {
	for _, c := range datagrams {
		want, err := hex.DecodeString(strings.ReplaceAll(c.bytes, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.value.AppendTo(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", c.name, got, want)
		}
		got, err := read(want)
		if err != nil || got != c.value {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, c.value)
		}
		if _, err := read(want[:len(want)-1]); err == nil {
			t.Errorf("%s: one byte short is no error", c.name)
		}
	}
}

// read reads any datagram by its type.
func read(b []byte) (appender, error) {
	switch rtp.Type(b) {
	case rtp.TypeAudio:
		var v rtp.Header
		err := v.Unmarshal(b)
		return v, err
	case rtp.TypeSync:
		var v rtp.Sync
		err := v.Unmarshal(b)
		return v, err
	case rtp.TypePTPSync:
		var v rtp.PTPSync
		err := v.Unmarshal(b)
		return v, err
	case rtp.TypeResend:
		var v rtp.Resend
		err := v.Unmarshal(b)
		return v, err
	case rtp.TypeTimingRequest, rtp.TypeTimingReply:
		var v rtp.Timing
		err := v.Unmarshal(b)
		return v, err
	}
	var v rtp.ResendRequest
	err := v.Unmarshal(b)
	return v, err
}

func TestWhatIsLostForGoodIsSaid(t *testing.T) {
	if got, want := hex.EncodeToString(rtp.Lost{Seq: 6699}.AppendTo(nil)), "80d600011a2b0000"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnswerRepeatsTheQuestion(t *testing.T) {
	q := rtp.Timing{Field: 7, Sent: 5}
	if got, want := q.Answer(9), (rtp.Timing{Reply: true, Field: 7, Reference: 5, Received: 9}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestResendRequestWithoutTopBit(t *testing.T) {
	var q rtp.ResendRequest
	if err := q.Unmarshal([]byte{0x80, 0x55, 0, 1, 0xff, 0xff, 0, 3}); err != nil || q != (rtp.ResendRequest{First: 0xffff, Count: 3}) {
		t.Errorf("got %+v, %v", q, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, c := range datagrams {
		f.Add(c.value.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := read(b)
		if err != nil {
			return
		}
		again, err := read(v.AppendTo(nil))
		if err != nil || again != v {
			t.Errorf("got %+v, %v, want %+v", again, err, v)
		}
	})
}
