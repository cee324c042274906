package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/raop"
)

const benchHelp = `It opens three sessions with the speaker, plays soft bells at the volume that
it has (none with -silent), and measures: how long the speaker takes to be ready,
the latency that it says it needs, how evenly its questions for the time arrive,
how many packets got lost, and how soon it asked for them again. At the end it
recommends a latency for the device's entry in the configuration. While it runs
nobody else can play; do not run it while somebody listens.

  bridge bench -to 192.168.1.20:5000
  bridge bench -to Kitchen -silent -for 30s
  bridge bench -to Kitchen -json | jq -r .recommended_latency

With -json it writes one object. Times are in milliseconds, and null where the
speaker tells nothing:

  {
    "speaker": "Kitchen",
    "address": "192.168.1.20:5000",
    "server": "AirTunes/105.1",
    "handshake": {"sessions": 3, "median_ms": 12.3, "slowest_ms": 15.1,
      "connect_ms": 0.8, "announce_ms": 2.1, "setup_ms": 1.9, "record_ms": 1.2},
    "audio_latency_ms": 250, "smallest_latency_ms": 250,
    "timing": {"requests": 8, "jitter_median_ms": 0.1, "jitter_slowest_ms": 0.9,
      "answered_within_ms": 0.1},
    "packets": {"sent": 751, "late": 0, "refused": 0, "lost": 2, "lost_percent": 0.27,
      "asked_again": 2, "asked_after_ms": 110.5},
    "recommended_latency": "chime",
    "because": "the speaker honours 250ms and hardly loses packets"
  }
`

// A benchReport is what was measured of a speaker.
type benchReport struct {
	Speaker   string         `json:"speaker"`
	Address   string         `json:"address"`
	Server    string         `json:"server"`
	Handshake benchHandshake `json:"handshake"`
	// AudioLatency is what the speaker says; Smallest what we would dare.
	AudioLatency *millis      `json:"audio_latency_ms"`
	Smallest     millis       `json:"smallest_latency_ms"`
	Timing       benchTiming  `json:"timing"`
	Packets      benchPackets `json:"packets"`
	Recommended  string       `json:"recommended_latency"`
	Because      string       `json:"because"`
}

type benchHandshake struct {
	Sessions int    `json:"sessions"`
	Median   millis `json:"median_ms"`
	Slowest  millis `json:"slowest_ms"`
	Connect  millis `json:"connect_ms"`
	Announce millis `json:"announce_ms"`
	Setup    millis `json:"setup_ms"`
	Record   millis `json:"record_ms"`
}

type benchTiming struct {
	Requests int     `json:"requests"`
	Jitter   *millis `json:"jitter_median_ms"`
	Worst    *millis `json:"jitter_slowest_ms"`
	Answered *millis `json:"answered_within_ms"`
}

type benchPackets struct {
	Sent       uint64  `json:"sent"`
	Late       uint64  `json:"late"`
	Refused    uint64  `json:"refused"`
	Lost       int     `json:"lost"` // different packets that were asked for again
	Percent    float64 `json:"lost_percent"`
	Asked      uint64  `json:"asked_again"`
	AskedAfter *millis `json:"asked_after_ms"`
}

// millis is a duration that is written in milliseconds, with microseconds
// behind the point.
type millis time.Duration

// MarshalJSON implements json.Marshaler.
func (m millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(m).Microseconds()) / 1000)
}

func (m millis) String() string {
	return fmt.Sprintf("%.1f ms", float64(time.Duration(m).Microseconds())/1000)
}

// told is a duration if there was anything to measure.
func told(d time.Duration, is bool) *millis {
	if !is {
		return nil
	}
	m := millis(d)
	return &m
}

// A benching is one `bridge bench`.
type benching struct {
	playing
	long   time.Duration
	silent bool
}

const benchSessions = 3

func (w world) bench(ctx context.Context, args []string) error {
	b := benching{playing: playing{world: w, volume: -1}}
	f := w.flags("bench")
	path := f.String("config", "", configHelp)
	f.Var(&b.to, "to", "the speaker's `name` or host:port")
	f.StringVar(&b.password, "password", "", "the speaker's password (default: that of the configuration)")
	f.DurationVar(&b.long, "for", 6*time.Second, "how long to play, 2s to 10m")
	f.BoolVar(&b.silent, "silent", false, "send silence instead of soft bells")
	asJSON := f.Bool("json", false, "write a JSON object")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	var err error
	if b.cfg, err = w.load(*path); err != nil {
		return err
	}
	b.vault = w.unlock("bench", b.cfg)
	switch {
	case len(b.to) != 1:
		err = errors.New("which speaker? say -to NAME or -to HOST:PORT, once")
	case b.long < 2*time.Second || b.long > 10*time.Minute:
		err = errors.New("-for takes 2s to 10m")
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "bridge bench: %v\n", err)
		return errUsage
	}
	report, err := b.measure(ctx)
	if err != nil {
		return fmt.Errorf("%w\n`bridge doctor -to %s` looks for the cause", err, b.to[0])
	}
	if *asJSON {
		e := json.NewEncoder(w.stdout)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return b.show(report)
}

func (b *benching) measure(ctx context.Context) (benchReport, error) {
	finding, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	targets, err := b.targets(finding)
	if err != nil {
		return benchReport{}, err
	}
	t := targets[0]
	if t.address == "" {
		return benchReport{}, fmt.Errorf("%s speaks AirPlay 2 only, which is not measured yet; `bridge doctor` examines it", t.name)
	}
	sound := "Soft bells are about to be heard"
	if b.silent {
		sound = "Silence is about to be played"
	}
	fmt.Fprintf(b.stderr, "%s on %s for %v.\n", sound, t.name, b.long)
	r := benchReport{Speaker: t.name, Address: t.address}
	var ready []time.Duration
	for n := range benchSessions {
		tap := newTap()
		s, took, err := b.dial(ctx, t, tap)
		if err != nil {
			return r, err
		}
		ready = append(ready, took)
		if n == benchSessions-1 {
			err = b.play(ctx, s, tap, &r)
		}
		s.Close()
		if err != nil {
			return r, err
		}
	}
	slices.Sort(ready)
	r.Handshake.Sessions, r.Handshake.Median, r.Handshake.Slowest = len(ready), millis(middle(ready)), millis(longest(ready))
	r.recommend()
	return r, nil
}

// busyFor is how long a speaker may still be busy with the session before.
const busyFor = 3 * time.Second

func (b *benching) dial(ctx context.Context, t speaker, tap *tap) (*raop.Session, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	for first := time.Now(); ; {
		began := time.Now()
		s, err := raop.Dial(ctx, t.address, t.info, tap.on(b.config(t)))
		if !errors.Is(err, raop.ErrBusy) || time.Since(first) > busyFor {
			return s, time.Since(began), err
		}
		select {
		case <-ctx.Done():
			return nil, 0, err
		case <-time.After(busyFor / 10):
		}
	}
}

// play plays and takes down what was measured meanwhile.
func (b *benching) play(ctx context.Context, s *raop.Session, tap *tap, r *benchReport) error {
	sound := stream.New(audio.NewClip(b.bells()).Source(), stream.Config{}, s)
	err := sound.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		return fmt.Errorf("the speaker stopped playing: %w", err)
	}
	facts, stats := s.Facts(), s.Stats()
	r.Server = facts.Server
	r.AudioLatency = told(facts.AudioLatency, facts.AudioLatency >= 0)
	r.Smallest = millis(s.MinLead())
	r.Handshake = benchHandshake{
		Connect: millis(tap.took("CONNECT")), Announce: millis(tap.took("ANNOUNCE")),
		Setup: millis(tap.took("SETUP")), Record: millis(tap.took("RECORD")),
	}
	spread, losses := tap.spread(), tap.losses()
	asked, slowest := tap.timings()
	r.Timing = benchTiming{
		Requests: asked, Jitter: told(middle(spread), len(spread) > 1),
		Worst: told(longest(spread), len(spread) > 1), Answered: told(slowest, asked > 0),
	}
	r.Packets = benchPackets{
		Sent: stats.Packets, Late: stats.Late, Refused: stats.SendErrors, Lost: len(losses), Asked: stats.ResendAsked,
		AskedAfter: told(middle(losses), len(losses) > 0),
	}
	if stats.Packets > 0 {
		r.Packets.Percent = math.Round(1e4*float64(len(losses))/float64(stats.Packets)) / 100
	}
	return nil
}

// bells are soft: a tenth of what a chime is.
func (b *benching) bells() []audio.Frame {
	frames := make([]audio.Frame, int(b.long.Seconds()*audio.Rate))
	if b.silent {
		return frames
	}
	bell, _ := chime.Render("ding")
	for at := 0; at+len(bell) <= len(frames); at += 2 * audio.Rate {
		for i, f := range bell {
			frames[at+i] = audio.Frame{f[0] / 10, f[1] / 10}
		}
	}
	return frames
}

// What a network may do and still be good for a latency. At 250 ms a lost
// packet of a clip can be repaired, because clips are sent ahead; at 1 s those
// of live sound can as well.
const (
	chimeLoss, normalLoss     = 0.5, 3.0 // percent
	chimeJitter, normalJitter = 50 * time.Millisecond, 300 * time.Millisecond
)

// recommend chooses the smallest latency that the speaker and the network are
// good for.
func (r *benchReport) recommend() {
	worst := time.Duration(0)
	if r.Timing.Worst != nil {
		worst = time.Duration(*r.Timing.Worst)
	}
	choice, why := config.Robust, fmt.Sprintf("%.1f %% of the packets got lost, and they came up to %v apart", r.Packets.Percent, millis(worst))
	switch {
	case r.Packets.Percent <= chimeLoss && worst <= chimeJitter:
		choice, why = config.Chime, "packets hardly get lost and come evenly"
	case r.Packets.Percent <= normalLoss && worst <= normalJitter:
		choice = config.Normal
	}
	least := time.Duration(r.Smallest)
	for _, l := range []config.Latency{config.Chime, config.Normal, config.Robust} {
		if choice < l && time.Duration(choice) < least && least <= time.Duration(l) {
			choice, why = l, fmt.Sprintf("the speaker needs %v", millis(least))
		}
	}
	if time.Duration(choice) < least {
		step := 50 * time.Millisecond
		choice, why = config.Latency((least+step-1)/step*step), fmt.Sprintf("the speaker needs %v", millis(least))
	}
	r.Recommended, r.Because = choice.String(), why
}

// show writes the report for people.
func (b *benching) show(r benchReport) error {
	t := tabwriter.NewWriter(b.stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	maybe := func(m *millis, no string) string {
		if m == nil {
			return no
		}
		return m.String()
	}
	row("speaker", "%s at %s, %s", r.Speaker, r.Address, cmp.Or(r.Server, "which does not say what it is"))
	h := r.Handshake
	row("handshake", "%v (median of %d, slowest %v)", h.Median, h.Sessions, h.Slowest)
	row("  connect", "%v", h.Connect)
	row("  announce, setup, record", "%v, %v, %v", h.Announce, h.Setup, h.Record)
	row("latency that it says", "%s", maybe(r.AudioLatency, "it does not say"))
	row("smallest latency", "%v", r.Smallest)
	row("timing requests", "%d, answered within %s", r.Timing.Requests, maybe(r.Timing.Answered, "(none came)"))
	row("jitter", "%s (median), %s (slowest)", maybe(r.Timing.Jitter, "unknown"), maybe(r.Timing.Worst, "unknown"))
	p := r.Packets
	row("packets", "%d sent, %d late, %d refused by the network", p.Sent, p.Late, p.Refused)
	row("lost", "%d (%.2f %%), asked for again %d times, %s after they were sent", p.Lost, p.Percent, p.Asked, maybe(p.AskedAfter, "-"))
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(b.stdout, "\nRecommended: latency: %s\n%s.\n", r.Recommended, capital(r.Because))
	return err
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
