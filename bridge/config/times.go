package config

import (
	"fmt"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// A Clock is a time of day, written 22:00. Empty is none.
type Clock struct {
	Minute int // of the day
	Set    bool
}

// ParseClock reads a time of day.
func ParseClock(s string) (Clock, error) {
	if s == "" {
		return Clock{}, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return Clock{}, fmt.Errorf("%q is no time of day such as 22:00", s)
	}
	return Clock{Minute: t.Hour()*60 + t.Minute(), Set: true}, nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (c *Clock) UnmarshalYAML(n *yaml.Node) error { return scalar(n, ParseClock, c) }

// MarshalYAML implements yaml.Marshaler.
func (c Clock) MarshalYAML() (any, error) { return c.String(), nil }

func (c Clock) String() string {
	if !c.Set {
		return ""
	}
	return fmt.Sprintf("%02d:%02d", c.Minute/60, c.Minute%60)
}

// On returns when the clock shows this on the day of t, in t's zone.
func (c Clock) On(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), c.Minute/60, c.Minute%60, 0, 0, t.Location())
}

// Within tells whether it is to be quiet at t, and until when that stays so.
// What has no beginning never is; the same time twice is always.
func (q QuietHours) Within(t time.Time) (quiet bool, until time.Time) {
	if !q.From.Set || !q.To.Set {
		return false, time.Time{}
	}
	minute := t.Hour()*60 + t.Minute()
	from, to := q.From.Minute, q.To.Minute
	switch {
	case from < to:
		quiet = from <= minute && minute < to
	default: // over midnight
		quiet = minute >= from || minute < to
	}
	next := q.From
	if quiet {
		next = q.To
	}
	until = next.On(t)
	if !until.After(t) {
		until = next.On(t.AddDate(0, 0, 1))
	}
	return quiet, until
}

// An Offset is a duration from -2 s to 2 s; a number without a unit is of
// milliseconds.
type Offset time.Duration

// ParseOffset reads an offset.
func ParseOffset(s string) (Offset, error) {
	d, err := milliseconds(s)
	if err != nil || d < -2*time.Second || d > 2*time.Second {
		return 0, fmt.Errorf("%q is no offset from -2s to 2s, such as 40ms", s)
	}
	return Offset(d), nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *Offset) UnmarshalYAML(n *yaml.Node) error { return scalar(n, ParseOffset, o) }

// MarshalYAML implements yaml.Marshaler.
func (o Offset) MarshalYAML() (any, error) { return time.Duration(o).String(), nil }

// milliseconds reads a duration, or a number of milliseconds.
func milliseconds(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	return time.ParseDuration(s + "ms")
}

// A Warmth is how long a session is kept: a duration up to a day, or always,
// which is negative.
type Warmth time.Duration

// Always is the Warmth without an end.
const Always = Warmth(-1)

// ParseWarmth reads a warmth.
func ParseWarmth(s string) (Warmth, error) {
	if s == "always" {
		return Always, nil
	}
	d, err := seconds(s)
	if err != nil || d < time.Second || d > 24*time.Hour {
		return 0, fmt.Errorf("%q is no time to keep a session: always, or 1s to 24h", s)
	}
	return Warmth(d), nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (w *Warmth) UnmarshalYAML(n *yaml.Node) error { return scalar(n, ParseWarmth, w) }

// MarshalYAML implements yaml.Marshaler.
func (w Warmth) MarshalYAML() (any, error) {
	if w == Always {
		return "always", nil
	}
	return time.Duration(w).String(), nil
}

// A Length is a duration up to an hour; a number without a unit is of seconds.
type Length time.Duration

// ParseLength reads a length of time.
func ParseLength(s string) (Length, error) {
	d, err := seconds(s)
	if err != nil || d < 0 || d > time.Hour {
		return 0, fmt.Errorf("%q is no length of time up to 1h, such as 5s", s)
	}
	return Length(d), nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *Length) UnmarshalYAML(n *yaml.Node) error { return scalar(n, ParseLength, l) }

// MarshalYAML implements yaml.Marshaler.
func (l Length) MarshalYAML() (any, error) { return time.Duration(l).String(), nil }

// seconds reads a duration, or a number of seconds.
func seconds(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	return time.ParseDuration(s + "s")
}

// Decibels is a level, -60 to 0: -18 or -18dB.
type Decibels float64

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Decibels) UnmarshalYAML(n *yaml.Node) error {
	return scalar(n, func(s string) (Decibels, error) {
		v, err := strconv.ParseFloat(trimUnit(s, "dB"), 64)
		if err != nil || !(v >= -60 && v <= 0) {
			return 0, fmt.Errorf("%q is no level from -60dB to 0dB", s)
		}
		return Decibels(v), nil
	}, d)
}

// MarshalYAML implements yaml.Marshaler.
func (d Decibels) MarshalYAML() (any, error) { return fmt.Sprintf("%gdB", float64(d)), nil }

// A Loudness is -40 to -5 LUFS, or off, which is 0.
type Loudness float64

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *Loudness) UnmarshalYAML(n *yaml.Node) error {
	return scalar(n, func(s string) (Loudness, error) {
		if s == "off" || s == "false" { // YAML 1.1 readers make a bare off of it
			return 0, nil
		}
		v, err := strconv.ParseFloat(trimUnit(s, "LUFS"), 64)
		if err != nil || !(v >= -40 && v <= -5) {
			return 0, fmt.Errorf("%q is no loudness: off, or -40LUFS to -5LUFS", s)
		}
		return Loudness(v), nil
	}, l)
}

// MarshalYAML implements yaml.Marshaler.
func (l Loudness) MarshalYAML() (any, error) {
	if l == 0 {
		return "off", nil
	}
	return fmt.Sprintf("%gLUFS", float64(l)), nil
}
