package bridge

import (
	"context"
	"net/url"
	"path"
	"strings"

	"airplay2mqtt/audio"
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
	if p.File == "" {
		return b.opener.Open(ctx, p.URL)
	}
	f, err := b.folders.Open(p.File)
	if err != nil {
		return audio.Track{}, err
	}
	return b.opener.OpenReader(ctx, f, p.File)
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
