package bridge

import (
	"bytes"
	"context"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/pcm"
	"airplay2mqtt/bridge/player"
)

// open opens what a player is to play, inside the borders that the
// configuration sets: a player's Config.Open.
func (b *Bridge) open(ctx context.Context, p player.Play) (audio.Track, error) {
	track, err := b.openSource(ctx, p)
	if err == nil && track.Tags.Title == "" && !track.Live {
		track.Tags.Title = titleOf(p)
	}
	return track, err
}

func (b *Bridge) openSource(ctx context.Context, p player.Play) (audio.Track, error) {
	if p.Data != nil {
		return b.opener.OpenReader(ctx, sound{bytes.NewReader(p.Data)}, p.DataName)
	}
	if clip, ok := b.kept(p.File); ok {
		return audio.Track{Source: clip.Source(), Tags: clip.Tags()}, nil
	}
	opener, p, err := b.find(ctx, p)
	if err != nil {
		return audio.Track{}, err
	}
	track, err := signs(opener, p).Open(ctx, locationOf(p))
	if err != nil && pcm.Is(p.URL) && sourceCode(err) == "" {
		err = &audio.FetchError{URL: p.URL, Err: err}
	}
	return track, err
}

// kept is the sound of a file in the folder of chimes, where it is in memory:
// nothing is opened or decoded for what must sound at once. A path that is not
// absolute is looked for in that folder first.
func (b *Bridge) kept(file string) (*audio.Clip, bool) {
	if file == "" {
		return nil, false
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(b.chimes.folder, file)
	}
	return b.chimes.cache.Lookup(filepath.Clean(file))
}

// A sound is bytes that can be read, sought and closed.
type sound struct{ *bytes.Reader }

func (sound) Close() error { return nil }

// locationOf is what the opener is given. A path says that it is one, so that
// nothing else is made of it, such as standard input of "-".
func locationOf(p player.Play) string {
	if p.File == "" || filepath.IsAbs(p.File) {
		return p.URL + p.File
	}
	return "." + string(filepath.Separator) + p.File
}

// titleOf is what a sound is called that does not say it itself: the name of
// its file, without the folder and the ending.
func titleOf(p player.Play) string {
	name := p.File
	if u, err := url.Parse(p.URL); p.File == "" && err == nil {
		name = u.Path
	}
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || name == "/" {
		return ""
	}
	return oneLine(strings.TrimSuffix(name, path.Ext(name)))
}
