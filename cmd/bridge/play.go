package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop"

	"golang.org/x/sync/errgroup"
)

const playHelp = `The sound is a file, an http(s) address or - for standard input; MP3, WAV, FLAC
and Ogg (Vorbis, Opus, FLAC) are recognised by what they hold. With several -to
the speakers play in step.

  bridge play -to Kitchen song.flac
  bridge play -to 192.168.1.20:5000 -volume 30 http://radio.example.org/stream
  bridge play -to Kitchen -to Hall -latency robust album.mp3
  ffmpeg -i film.mkv -f wav - | bridge play -to Kitchen -
`

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// playing is one `bridge play`.
type playing struct {
	world
	cfg      config.Config
	vault    *vault.Vault
	to       list
	volume   float64 // percent; negative: left as it is
	password string
	latency  config.Latency
	clock    *ptp.Engine // of AirPlay 2
}

func (w world) play(ctx context.Context, args []string) error {
	p := playing{world: w, clock: ptp.New(ptp.Config{})}
	defer p.clock.Close()
	f := w.flags("play")
	path := f.String("config", "", configHelp)
	f.Var(&p.to, "to", "the speaker's `name` or host:port; may be given several times")
	f.Float64Var(&p.volume, "volume", -1, "set the volume, `0 to 100` (default: left as it is)")
	f.StringVar(&p.password, "password", "", "the speaker's password (default: that of the configuration)")
	latency := f.String("latency", "", "chime (250ms), normal (1s), robust (2s), or a duration (default: that of the configuration)")
	if err := w.parse(f, args, 1, 1); err != nil {
		return err
	}
	var err error
	if p.cfg, err = w.load(*path); err != nil {
		return err
	}
	p.vault = w.unlock("play", p.cfg)
	switch {
	case len(p.to) == 0:
		err = errors.New("on which speaker? say -to NAME or -to HOST:PORT")
	case p.volume > 100:
		err = errors.New("-volume takes 0 to 100")
	case *latency != "":
		p.latency, err = config.ParseLatency(*latency)
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "bridge play: %v\n", err)
		return errUsage
	}
	return p.run(ctx, f.Arg(0))
}

func (p *playing) run(ctx context.Context, location string) error {
	opening, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	track, err := p.open(opening, location)
	if err != nil {
		return err
	}
	defer track.Close()
	sessions, err := p.dialAll(opening)
	defer hangUp(sessions)
	if err != nil {
		return err
	}
	sinks := make([]stream.Sink, len(sessions))
	for i, s := range sessions {
		sinks[i] = s
		if err := s.SetTags(opening, track.Tags); err != nil {
			return err
		}
	}
	s := stream.New(track, stream.Config{Lead: time.Duration(p.latency)}, sinks...)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return p.watch(ctx, s, track, ended)
}

// open opens the sound. What the user types here is not limited to folders:
// it is the user's own machine.
func (p *playing) open(ctx context.Context, location string) (audio.Track, error) {
	var opener audio.Opener
	if location == "-" {
		return opener.OpenReader(ctx, io.NopCloser(p.stdin), "standard input")
	}
	return opener.Open(ctx, location)
}

// dialAll opens a session with every speaker, at the same time. It returns
// those that stand also where there is an error.
func (p *playing) dialAll(ctx context.Context) ([]player.Session, error) {
	targets, err := p.targets(ctx)
	if err != nil {
		return nil, err
	}
	sessions := make([]player.Session, len(targets))
	var g errgroup.Group
	for i, t := range targets {
		g.Go(func() error {
			s, err := p.dial(ctx, t)
			if err != nil {
				return fmt.Errorf("%s: %w%s", t.name, err, advice(err))
			}
			sessions[i] = s
			if p.volume >= 0 {
				return s.SetVolume(ctx, p.volume/100)
			}
			return nil
		})
	}
	err = g.Wait()
	standing := sessions[:0]
	for _, s := range sessions {
		if s != nil {
			standing = append(standing, s)
		}
	}
	return standing, err
}

// advice is what to do about a speaker that does not let us in, as the end of
// a sentence.
func advice(err error) string {
	switch {
	case errors.Is(err, raop.ErrPassword), errors.Is(err, airplay.ErrPassword):
		return ": say -password, or set password for this device in the configuration"
	case errors.Is(err, raop.ErrPairing), errors.Is(err, airplay.ErrPairing):
		return ": `bridge pair` pairs with it"
	}
	return ""
}

func hangUp(sessions []player.Session) {
	var g errgroup.Group
	for _, s := range sessions {
		g.Go(s.Close)
	}
	_ = g.Wait()
}

// targets finds the speakers that -to names: configured ones, host:port, and
// the rest by discovery.
func (p *playing) targets(ctx context.Context) ([]speaker, error) {
	var found map[string]discovery.Device
	var list []speaker
	for _, name := range p.to {
		s, ok := p.known(name)
		if !ok {
			if found == nil {
				var err error
				if found, err = p.find(ctx, p.cfg, 5*time.Second, p.allFound()); err != nil {
					return nil, err
				}
			}
			if s, ok = p.discovered(name, found); !ok {
				return nil, fmt.Errorf("no speaker %q was found; `bridge discover` lists them", name)
			}
		}
		if p.password != "" {
			s.password = p.password
		}
		list = append(list, s)
	}
	return list, nil
}

// known finds a speaker without discovery.
func (p *playing) known(name string) (speaker, bool) {
	for _, c := range p.cfg.Devices {
		if c.Host != "" && strings.EqualFold(c.Name, name) {
			return p.of(c, configuredSpeaker(c)), true
		}
	}
	if _, _, err := net.SplitHostPort(name); err == nil {
		return speaker{name: name, address: name, found: discovery.Device{Name: name}}, true
	}
	return speaker{}, false
}

// allFound tells when every speaker that is looked for has been seen.
func (p *playing) allFound() func(discovery.Device) bool {
	seen := map[string]bool{}
	return func(d discovery.Device) bool {
		seen[strings.ToLower(d.Name)], seen[strings.ToLower(d.ID)] = true, true
		for _, name := range p.to {
			if _, ok := p.known(name); !ok && !seen[strings.ToLower(name)] {
				return false
			}
		}
		return true
	}
}

func (p *playing) discovered(name string, found map[string]discovery.Device) (speaker, bool) {
	for _, d := range found {
		if !strings.EqualFold(d.Name, name) && !strings.EqualFold(d.ID, name) || len(d.Addrs) == 0 {
			continue
		}
		c := overrideOf(p.cfg, d)
		if s, ok := discoveredSpeaker(d, c); ok {
			return p.of(c, s), true
		}
	}
	return speaker{}, false
}

// of adds what the configuration says.
func (p *playing) of(c config.Device, s speaker) speaker {
	if secret, err := c.Secret(); err == nil {
		s.password = secret
	}
	if p.latency == 0 {
		p.latency = c.Latency
	}
	if kind, _ := s.airplay.Pairing(); kind.NeedsUser() && s.address != "" && p.credentials(s).None() {
		s.second = "" // in vain before somebody has typed a PIN
	}
	return s
}

// watch shows how far the sound is, on a terminal, until it has ended.
func (p *playing) watch(ctx context.Context, s *stream.Stream, track audio.Track, ended <-chan error) error {
	show := isTerminal(p.stderr)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if show {
				fmt.Fprintln(p.stderr)
			}
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			return err
		case <-tick.C:
			if show {
				fmt.Fprintf(p.stderr, "\r\033[K%s  %s", progress(s.Elapsed(), track.Tags.Duration), title(track.Tags))
			}
		}
	}
}

func progress(elapsed, total time.Duration) string {
	if total <= 0 {
		return clock(elapsed)
	}
	const width = 30
	full := int(min(width*elapsed/total, width))
	return fmt.Sprintf("%s [%s%s] %s", clock(elapsed), strings.Repeat("=", full), strings.Repeat(" ", width-full), clock(total))
}

func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func title(t audio.Tags) string {
	if t.Artist != "" {
		return t.Artist + " - " + t.Title
	}
	return t.Title
}
