package ntp_test

import (
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/internal/ntp"
)

func TestStamps(t *testing.T) {
	for _, c := range []struct {
		since1970 time.Duration
		want      uint64
	}{
		{12345678901234, 0x83aaaeb9adcc78a5},
		{12345678951234, 0x83aaaeb9adcfbf81},
		{98765432100000, 0x83ac004d6e9e1b08},
		{0, 0x83aa7e8000000000},
		{500 * time.Millisecond, 0x83aa7e8080000000},
	} {
		if got := ntp.FromDuration(c.since1970); got != c.want {
			t.Errorf("FromDuration(%d): got %#x, want %#x", c.since1970, got, c.want)
		}
		if got := ntp.ToDuration(c.want); got != c.since1970 {
			t.Errorf("ToDuration(%#x): got %d, want %d", c.want, got, c.since1970)
		}
	}
	if got := ntp.ToDuration(1 << 62); got != 0 {
		t.Errorf("a stamp before 1970: got %v, want 0", got)
	}
}

func TestClockCountsFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := ntp.NewClock()
		begin := time.Now()
		time.Sleep(1500 * time.Millisecond)
		if got, want := clock.Stamp(time.Now())-clock.Stamp(begin), uint64(3)<<31; got != want {
			t.Errorf("1.5 s: got %#x, want %#x", got, want)
		}
		for _, d := range []time.Duration{-2 * time.Second, 0, 7986, 300 * 24 * time.Hour} {
			at := begin.Add(d)
			if got := clock.Time(clock.Stamp(at)); got.Sub(at).Abs() > 1 {
				t.Errorf("%v there and back: off by %v", d, got.Sub(at))
			}
		}
		if clock.Stamp(begin)>>63 != 1 {
			t.Error("the top bit of a stamp is not set")
		}
	})
}
