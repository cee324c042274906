package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/mediaserver"
	"airplay2mqtt/airplay/video"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/discovery"
)

// A screen is where and how a device is shown films.
type screen struct {
	addresses []string    // host:port, the best first
	ways      []video.Way // to be tried, the best first
	refusal   error       // why it is shown none; nil: it can be
}

// screenOf finds out how a device is shown films. t has all else.
func screenOf(t *target, d discovery.Device, c config.Device) screen {
	var s screen
	switch {
	case c.Host != "":
		s.addresses = []string{net.JoinHostPort(c.Host, strconv.Itoa(c.Port))}
	case d.AirPlay != nil:
		for _, a := range d.Addrs {
			s.addresses = append(s.addresses, net.JoinHostPort(a.String(), strconv.Itoa(int(d.AirPlay.Port))))
		}
	}
	s.ways, s.refusal = waysOf(t, c, len(s.addresses) > 0)
	return s
}

// waysOf tells in which ways a device is shown films, or why it is shown none.
func waysOf(t *target, c config.Device, reachable bool) ([]video.Way, error) {
	ways, why := video.Ways(t.airplay)
	kind, closed := t.airplay.Pairing()
	forced := video.Way(c.Video)
	switch {
	case c.Video == "off":
		return nil, &refusal{"unsupported_format", "the device is shown no films: that is configured (devices: video)"}
	case forced.Known() && reachable:
		return []video.Way{forced}, nil
	case !reachable:
		return nil, &refusal{"unsupported_format", "the device does not announce that it can show films; if it can, set video: airplay1 for it (devices)"}
	case len(ways) == 0:
		return nil, &refusal{"unsupported_format", "the device shows no films: " + why}
	case kind == airplay.Unsupported:
		return nil, &refusal{"access_restricted", closed}
	}
	return ways, nil
}

// Show has the device play the film.
func (f *feature) Show(ctx context.Context, from time.Duration) (player.Showing, error) {
	s, err := f.device.dialVideo(ctx, f.fetchPlaylist)
	if err != nil {
		return nil, err
	}
	if f.content != nil {
		if f.server, err = mediaserver.Serve(f.content, f.serving(s)); err != nil {
			f.content = nil // Serve has closed it
			s.Close()
			return nil, err
		}
		f.url = f.server.URL()
	}
	p, err := s.Play(ctx, f.url, from)
	if err != nil {
		s.Close()
		return nil, err
	}
	return project(f, s, p), nil
}

// serving says to whom a film is served: to the device, by whichever of its
// addresses, at the address of ours that it is connected with.
func (f *feature) serving(s *video.Session) mediaserver.Config {
	c := mediaserver.Config{Listen: f.bridge.about.Listen, Logger: f.device.log}
	for _, address := range append([]net.Addr{s.RemoteAddr()}, addressesOf(f.device.target.Load())...) {
		if at, err := netip.ParseAddrPort(address.String()); err == nil {
			c.Receivers = append(c.Receivers, at.Addr().Unmap())
		}
	}
	if at, err := netip.ParseAddrPort(s.LocalAddr().String()); err == nil {
		c.Local = at.Addr().Unmap()
	}
	return c
}

func addressesOf(t *target) (list []net.Addr) {
	for _, text := range t.screen.addresses {
		if at, err := netip.ParseAddrPort(text); err == nil {
			list = append(list, net.TCPAddrFromAddrPort(at))
		}
	}
	return list
}

// dialVideo connects to the device to show it films.
func (d *device) dialVideo(ctx context.Context, fetch func(ctx context.Context, url string) (int, string, []byte)) (*video.Session, error) {
	t := d.target.Load()
	if t.screen.refusal != nil {
		return nil, t.screen.refusal
	}
	ways := d.waysNow(t.screen.ways)
	if err := d.unpaired(t, ways[0]); err != nil {
		return nil, err
	}
	own, _ := d.vault.Get(t.id)
	var last error = &refusal{"device_offline", "the device has no known address; is it switched on?"}
	for _, address := range t.screen.addresses {
		s, err := video.Dial(ctx, address, &video.Config{
			Ways: ways, Info: t.airplay, Credentials: own.Credentials, Password: t.password,
			Fetch: fetch, DialContext: d.net.dial, ListenPacket: d.net.listen, Logger: d.log,
		})
		if err == nil {
			d.reached(true)
			return s, nil
		}
		if errors.Is(err, video.ErrPairing) {
			d.refused(false)
		}
		if last = err; errors.Is(ctx.Err(), context.Canceled) || !unreachable(err) {
			return nil, err
		}
	}
	d.reached(false)
	return nil, last
}

// waysNow puts first the way that the device took the last time.
func (d *device) waysNow(ways []video.Way) []video.Way {
	last := d.way.Load()
	if last == nil || !slices.Contains(ways, *last) {
		return ways
	}
	rest := slices.DeleteFunc(slices.Clone(ways), func(w video.Way) bool { return w == *last })
	return append([]video.Way{*last}, rest...)
}

// unpaired tells why it is in vain to try to show films before somebody has
// typed a PIN; nil: it is not.
func (d *device) unpaired(t *target, way video.Way) error {
	known := airplay.Known{Password: t.password, Protocol: airplay.AirPlay2}
	if way == video.Plain {
		known.Protocol = airplay.AirPlay1
	}
	if e, ok := d.vault.Get(t.id); ok {
		known.Credentials, known.Key = e.Credentials, e.Key
	}
	decision := airplay.Decide(t.airplay, known)
	switch {
	case decision.KeyChanged:
		d.refused(true)
	case !decision.Missing || !decision.Pairing.NeedsUser():
		return nil
	default:
		d.refused(false)
	}
	return &refusal{"pairing_required", decision.Why}
}

// remembers notes how the device is shown films, where that is not as it was
// thought.
func (d *device) remembers(s *video.Session) {
	way, reason := s.Way()
	if reason == "" {
		return
	}
	if last := d.way.Swap(&way); last == nil || *last != way {
		d.log.Warn().Str("way", string(way)).Str("reason", oneLine(reason)).Msg("films are shown in another way than the device announces; it is tried first from now on")
	}
}

// A showing is a video.Playback as a player wants it.
type showing struct {
	*video.Playback
	feature *feature
	session *video.Session
	scenes  chan player.Scene
	over    chan struct{}
}

func project(f *feature, s *video.Session, p *video.Playback) *showing {
	w := &showing{Playback: p, feature: f, session: s, scenes: make(chan player.Scene, 1), over: make(chan struct{})}
	go w.translate() // Close waits for it
	return w
}

var statuses = map[video.Status]player.Status{
	video.Loading: player.Buffering, video.Playing: player.Playing, video.Paused: player.Paused,
}

// translate hands on the newest state.
func (w *showing) translate() {
	defer close(w.over)
	defer close(w.scenes)
	for s := range w.States() {
		select {
		case <-w.scenes:
		default:
		}
		w.scenes <- player.Scene{Status: statuses[s.Status], Position: s.Position, Duration: s.Duration, At: s.At}
	}
}

// SetVolume sets the volume, where the device has one for films.
func (w *showing) SetVolume(ctx context.Context, level float64) error {
	err := w.session.SetVolume(ctx, level)
	if errors.Is(err, video.ErrNoVolume) {
		w.feature.device.log.Debug().Err(err).Msg("the volume of films is the television's own affair")
		return nil
	}
	return err
}

// Scenes tells how far the film is.
func (w *showing) Scenes() <-chan player.Scene { return w.scenes }

// Err says why the film is over, with what is known at the film's source.
func (w *showing) Err() error {
	err := w.Playback.Err()
	if err == nil {
		return nil
	}
	if s := w.feature.server; s != nil {
		if at := s.Err(); at != nil {
			return at
		}
	}
	switch {
	case errors.Is(err, video.ErrStopped):
		return takenOver{err}
	case errors.Is(err, video.ErrNotStarted):
		return &refusal{"fetch_failed", "the device took the film and did not begin to play it: " + w.feature.unfetched()}
	}
	return err
}

// unfetched is what may keep the device from fetching a film.
func (f *feature) unfetched() string {
	u, err := url.Parse(f.url)
	host := ""
	if err == nil {
		host = u.Host
	}
	if f.server == nil {
		return fmt.Sprintf("can it reach %s?", host)
	}
	select {
	case <-f.server.Fetched():
		return "it has fetched some of it; perhaps it does not know this kind of film"
	default:
	}
	if other := f.server.Stranger(); other != "" {
		return fmt.Sprintf("%s has asked for it, which is no address of the device that is known here", other)
	}
	if path := f.server.Astray(); path != "" {
		return fmt.Sprintf("it has asked %s for %s, and not for the film; perhaps it shows films in another way (devices: video)", host, path)
	}
	return fmt.Sprintf("it has never asked %s for it, which it has to be able to reach (a firewall, or a container without host networking)", host)
}

// Close ends the film and hangs up.
func (w *showing) Close() error {
	if w.Started() {
		w.feature.device.remembers(w.session)
	}
	err := w.session.Close()
	<-w.over
	return err
}
