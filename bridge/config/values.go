package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/internal/nearest"

	"gopkg.in/yaml.v3"
)

// A Latency is a name (chime, normal, robust), a number of milliseconds, or a
// duration with its unit (400ms, 1.5s), from 100 ms to 10 s.
type Latency time.Duration

var latencies = map[string]Latency{"chime": Chime, "normal": Normal, "robust": Robust}

// ParseLatency reads a latency as it stands in the configuration.
func ParseLatency(s string) (Latency, error) {
	if l, ok := latencies[s]; ok {
		return l, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		d, err = time.ParseDuration(s + "ms")
	}
	if err != nil || d < 100*time.Millisecond || d > 10*time.Second {
		return 0, fmt.Errorf("%q is no latency: chime, normal, robust, or 100ms to 10s%s", s, nearest.Hint(s, slices.Sorted(maps.Keys(latencies))))
	}
	return Latency(d), nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *Latency) UnmarshalYAML(n *yaml.Node) (err error) {
	return scalar(n, ParseLatency, l)
}

// MarshalYAML implements yaml.Marshaler.
func (l Latency) MarshalYAML() (any, error) { return l.String(), nil }

func (l Latency) String() string {
	for name, value := range latencies {
		if value == l {
			return name
		}
	}
	return time.Duration(l).String()
}

// A Percent is a whole number from 1 to 100; zero is "not said".
type Percent int

// ParsePercent reads a percentage.
func ParsePercent(s string) (Percent, error) {
	v, err := strconv.Atoi(s)
	if err != nil || v < 1 || v > 100 {
		return 0, fmt.Errorf("%q is no percentage from 1 to 100", s)
	}
	return Percent(v), nil
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (p *Percent) UnmarshalYAML(n *yaml.Node) error { return scalar(n, ParsePercent, p) }

// A Size is a number of bytes, written as 512MiB, 1GiB, 300kB or 4096.
type Size int64

var units = []struct {
	suffix string
	bytes  int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1},
}

// ParseSize reads a size as it stands in the configuration.
func ParseSize(s string) (Size, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(v) || v < 1 || v*float64(u.bytes) > 1<<50 {
			break
		}
		return Size(v * float64(u.bytes)), nil
	}
	return 0, fmt.Errorf("%q is no size: write 512MiB, 1GiB or a number of bytes", s)
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Size) UnmarshalYAML(n *yaml.Node) error { return scalar(n, ParseSize, s) }

// MarshalYAML implements yaml.Marshaler.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil }

func (s Size) String() string {
	for _, u := range units {
		if int64(s)%u.bytes == 0 && int64(s) >= u.bytes {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// scalar reads a node that holds one value. Its errors are collected beside
// those of the decoder, so they carry the line.
func scalar[T any](n *yaml.Node, parse func(string) (T, error), to *T) error {
	if n.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: one value is wanted here", n.Line)}}
	}
	v, err := parse(strings.TrimSpace(n.Value))
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	*to = v
	return nil
}

// trimUnit drops the unit of a number.
func trimUnit(s, unit string) string { return strings.TrimSpace(strings.TrimSuffix(s, unit)) }
