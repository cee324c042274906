package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"airplay2mqtt/airplay/film"
	"airplay2mqtt/airplay/mediaserver"
	"airplay2mqtt/audio"
	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/bridge/player"
)

// A feature is a film that was found, and what a device can be given of it: an
// address, or content that we serve.
type feature struct {
	bridge  *Bridge
	device  *device
	tags    audio.Tags
	url     string
	content mediaserver.Content // nil: the device fetches the url itself
	server  *mediaserver.Server // once it is shown
}

// shows tells whether a play may be for a film on this device: a player's
// Config.Shows.
func (d *device) shows(p player.Play) bool {
	if p.Mode == player.FilmMode {
		return true
	}
	return d.target.Load().screen.refusal == nil && p.Data == nil && !soundOnly(p)
}

// soundEndings are of files that hold no pictures.
var soundEndings = []string{".mp3", ".flac", ".wav", ".ogg", ".opus", ".oga", ".aac", ".m4a", ".aif", ".aiff", ".wma", ".pcm", ".m3u", ".pls"}

// soundOnly tells whether the name says that there are no pictures in it.
func soundOnly(p player.Play) bool {
	name := p.File
	if u, err := url.Parse(p.URL); p.URL != "" {
		if err != nil || !isWeb(p.URL) && !isMediaSource(p.URL) {
			return true
		}
		name = u.Path
	}
	return slices.Contains(soundEndings, strings.ToLower(path.Ext(name)))
}

// film finds the film that a play is for, inside the borders that the
// configuration sets: a player's Config.Film. What cannot be looked at is left
// to the opener of sounds, which says why, unless a film was asked for.
func (b *Bridge) film(ctx context.Context, d *device, p player.Play) (player.Film, error) {
	if why := d.target.Load().screen.refusal; why != nil {
		return nil, why
	}
	title := titleOf(p)
	_, p, err := b.find(ctx, p)
	if err != nil {
		return nil, err
	}
	f := &feature{bridge: b, device: d, tags: audio.Tags{Title: title}, url: p.URL}
	look := f.lookAtURL
	if p.File != "" {
		look = f.lookAtFile
	}
	is, err := look(ctx, p)
	switch {
	case err == nil && is:
		return f, nil
	case err != nil && (is || p.Mode == player.FilmMode):
		return nil, err
	case p.Mode == player.FilmMode:
		return nil, &refusal{"unsupported_format", fmt.Sprintf("%q is no film that is known here", nameOf(p))}
	}
	return nil, nil
}

func nameOf(p player.Play) string { return withoutSecrets(p.URL) + p.File }

// isFilm tells whether what was found is to be shown. What does not tell what
// it is made of is more often a film.
func isFilm(made film.Film, mode player.Mode) bool {
	video, known := made.Video()
	return made.Container != "" && (video || !known || mode == player.FilmMode)
}

// lookAtFile makes content of a file.
func (f *feature) lookAtFile(ctx context.Context, p player.Play) (is bool, err error) {
	file, err := f.bridge.folders.Open(p.File)
	if err != nil {
		return false, err
	}
	content, err := mediaserver.OpenFile(file)
	if err != nil {
		return false, err
	}
	made := content.Film()
	if !isFilm(made, p.Mode) {
		return false, content.Close()
	}
	f.tags.Duration = made.Duration
	anew, err := f.treatment(made, nameOf(p))
	if err != nil || anew == nil {
		if err != nil {
			content.Close()
		}
		f.content = content
		return true, err
	}
	content.Close()
	if file, err = f.bridge.folders.Open(p.File); err != nil {
		return true, err
	}
	return true, f.convert(ctx, file, *anew)
}

// lookAtURL decides whether the device can fetch an address itself.
func (f *feature) lookAtURL(ctx context.Context, p player.Play) (is bool, err error) {
	source := f.bridge.sourceOf(p)
	found, err := source.Probe(ctx)
	if err != nil {
		return false, err
	}
	if !isFilm(found.Film, p.Mode) {
		return false, nil
	}
	f.tags.Duration = found.Film.Duration
	anew, err := f.treatment(found.Film, nameOf(p))
	if err == nil && anew == nil && !found.Ranges && found.Film.Container != "hls" {
		// Players want parts (docs/protocols/video.md, the film's server).
		if anew = conversionOf(found.Film); !installed(f.bridge.opener) {
			anew = nil
		}
	}
	switch {
	case err != nil:
		return true, err
	case anew != nil:
		r, err := source.Open(context.WithoutCancel(ctx))
		if err != nil {
			return true, err
		}
		return true, f.convert(ctx, r, *anew)
	case f.hidden(ctx, source):
		f.content, err = mediaserver.NewProxy(source, found.Film)
	}
	return true, err
}

// hidden tells whether a device cannot fetch what we can: because it does not
// know the password, or what else the server wants to see, trusts public certificates only, or is not this machine.
func (f *feature) hidden(ctx context.Context, source mediaserver.Source) bool {
	u, err := url.Parse(source.URL)
	if err != nil {
		return true
	}
	if at, err := netip.ParseAddr(u.Hostname()); len(source.Header) > 0 || u.User != nil || u.Hostname() == "localhost" || err == nil && at.IsLoopback() {
		return true
	}
	if u.Scheme != "https" || source.TLS == nil {
		return false
	}
	source.TLS = nil
	_, err = source.Probe(ctx)
	var untrusted *tls.CertificateVerificationError
	return errors.As(err, &untrusted)
}

// treatment tells what has to be done to a film for the device's player: nil,
// if it plays as it is; or else why nothing can be done.
func (f *feature) treatment(made film.Film, name string) (*ffmpeg.Conversion, error) {
	verdict, why := made.Playable()
	if verdict == film.Always {
		return nil, nil
	}
	anew := conversionOf(made)
	switch able := installed(f.bridge.opener); {
	case anew != nil && able:
		return anew, nil
	case verdict == film.Perhaps:
		return nil, nil
	case anew != nil:
		why += "; with ffmpeg installed on the bridge's machine it is converted while it plays"
	}
	return nil, &refusal{"unsupported_format", fmt.Sprintf("%q %s", name, why)}
}

func installed(o *audio.Opener) bool {
	if o.FFmpeg != "" {
		return true
	}
	_, ok := ffmpeg.Find()
	return ok
}

// conversionOf is how a film becomes one that players know; nil: it cannot.
func conversionOf(made film.Film) *ffmpeg.Conversion {
	switch made.Container {
	case "hls", "dash", "mjpeg", "":
		return nil
	}
	if made.Sealed || len(made.Pictures) == 0 {
		return nil
	}
	c := &ffmpeg.Conversion{Pictures: ffmpeg.Anew, Sound: ffmpeg.Anew}
	switch p := made.Pictures[0]; {
	case p.Name == "h264" && p.Detail == "":
		c.Pictures = ffmpeg.Copy
	case p.Name == "hevc":
		c.Pictures, c.HEVC = ffmpeg.Copy, true
	}
	if len(made.Sounds) > 0 {
		switch made.Sounds[0].Name {
		case "aac":
			c.Sound, c.AAC = ffmpeg.Copy, true
		case "ac3", "eac3", "alac":
			c.Sound = ffmpeg.Copy
		}
	}
	return c
}

// convert makes content of what r reads, while it is played. It waits for the
// beginning, so that what does not work is said before the device goes black.
func (f *feature) convert(ctx context.Context, r io.ReadCloser, c ffmpeg.Conversion) error {
	c.Path = f.bridge.opener.FFmpeg
	converter, err := ffmpeg.NewConverter(r, c)
	if err != nil {
		r.Close()
		return err
	}
	if err := os.MkdirAll(f.bridge.cfg.Data, 0o700); err != nil {
		converted{converter, r}.Close()
		return err
	}
	stream, err := mediaserver.NewStream(converted{converter, r}, mediaserver.StreamConfig{Folder: f.bridge.cfg.Data})
	if err != nil {
		return err
	}
	if err := stream.Ready(ctx); err != nil {
		stream.Close()
		return err
	}
	f.content = stream
	return nil
}

// A converted film ends with what it is made of.
type converted struct {
	*ffmpeg.Converter
	from io.Closer
}

func (c converted) Close() error {
	err := c.from.Close()
	return errors.Join(err, c.Converter.Close())
}

// Tags is what is known of the film.
func (f *feature) Tags() audio.Tags { return f.tags }

// Close gives up what the device gets the film from.
func (f *feature) Close() error {
	switch {
	case f.server != nil:
		return f.server.Close()
	case f.content != nil:
		return f.content.Close()
	}
	return nil
}

// playlistMost is how much of a playlist is fetched for a device.
const playlistMost = 4 << 20

// fetchPlaylist fetches what a device asks its sender for: a video.Config's
// Fetch.
func (f *feature) fetchPlaylist(ctx context.Context, address string) (status int, mime string, body []byte) {
	if f.server != nil { // of ours: the bridge is not whom it serves
		if status, mime, body, ours := f.server.Within(ctx, address); ours {
			return status, mime, body
		}
	}
	r, err := f.bridge.sourceOf(player.Play{URL: address}).Open(ctx)
	var fetch *mediaserver.FetchError
	switch {
	case errors.As(err, &fetch) && fetch.Status != 0:
		return fetch.Status, "", nil
	case err != nil:
		return http.StatusGatewayTimeout, "", nil
	}
	defer r.Close()
	body, err = io.ReadAll(io.LimitReader(r, playlistMost))
	if err != nil {
		return http.StatusGatewayTimeout, "", nil
	}
	return http.StatusOK, "application/vnd.apple.mpegurl", body
}
