package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"airplay2mqtt/airplay/mediaserver"
	"airplay2mqtt/airplay/video"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/discovery"
)

// A screen is where and how a device is shown films.
type screen struct {
	addresses []string // host:port, the best first
	refusal   error    // why it is shown none; nil: it can be
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
	s.refusal = noScreen(t, c, len(s.addresses) > 0)
	return s
}

// noScreen tells why a device is shown no films, nil if it can be.
func noScreen(t *target, c config.Device, reachable bool) error {
	able, why := t.airplay.Video()
	second, _ := t.airplay.AirPlay2()
	switch {
	case c.Video == "off":
		return &refusal{"unsupported_format", "the device is shown no films: that is configured (devices: video)"}
	case c.Video == "airplay1" && reachable:
		return nil
	case !reachable:
		return &refusal{"unsupported_format", "the device does not announce that it can show films; if it can, set video: airplay1 for it (devices)"}
	case !able:
		return &refusal{"unsupported_format", "the device shows no films: " + why}
	case second:
		return &refusal{"unsupported_format", "the device wants to be shown films in a session of AirPlay 2, which this version cannot do yet; " +
			"video: airplay1 for it (devices) tries the older way"}
	}
	return nil
}

// Show has the device play the film.
func (f *feature) Show(ctx context.Context, from time.Duration) (player.Showing, error) {
	s, err := f.device.dialVideo(ctx, f.bridge)
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
func (d *device) dialVideo(ctx context.Context, b *Bridge) (*video.Session, error) {
	t := d.target.Load()
	if t.screen.refusal != nil {
		return nil, t.screen.refusal
	}
	var last error = &refusal{"device_offline", "the device has no known address; is it switched on?"}
	for _, address := range t.screen.addresses {
		s, err := video.Dial(ctx, address, &video.Config{
			Password: t.password, Fetch: b.fetchPlaylist, DialContext: d.net.dial, Logger: d.log,
		})
		if err == nil {
			d.reached(true)
			return s, nil
		}
		if last = err; errors.Is(ctx.Err(), context.Canceled) || !unreachable(err) {
			return nil, err
		}
	}
	d.reached(false)
	return nil, last
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
	return fmt.Sprintf("it has never asked %s for it, which it has to be able to reach (a firewall, or a container without host networking)", host)
}

// Close ends the film and hangs up.
func (w *showing) Close() error {
	err := w.session.Close()
	<-w.over
	return err
}
