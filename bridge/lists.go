package bridge

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/player"
)

// patience is how long looking at a sound or a playlist may take.
const patience = 20 * time.Second

// isList tells whether a play is of several sounds: a folder, or what is
// called like a playlist. A playlist that is not called like one is recognised
// when it is opened, and stands for its first entry.
func (b *Bridge) isList(p player.Play) bool {
	name := p.File
	if u, err := url.Parse(p.URL); p.URL != "" && err == nil {
		name = u.Path
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".m3u", ".m3u8", ".pls", ".xspf":
		return true
	}
	if p.File == "" {
		return false
	}
	f, err := b.folders.Open(p.File)
	if err != nil {
		return false // it is said when it is played
	}
	defer f.Close()
	info, err := f.Stat()
	return err == nil && info.IsDir()
}

// expand plays what a playlist or a folder holds, in its order.
func (b *Bridge) expand(word string, o order, p player.Play, a *answer) {
	if p.Enqueue == player.EnqueueNext {
		a.give(bad("a playlist or a folder cannot be put next; add, play and replace can be said of it"))
		return
	}
	b.chores.Go(func() error {
		ctx, cancel := context.WithTimeout(b.living, patience)
		defer cancel()
		opener, found, err := b.find(ctx, p)
		if err != nil {
			a.give(err)
			return nil
		}
		entries, err := signs(opener, found).Entries(ctx, locationOf(found))
		if err != nil {
			a.give(err)
			return nil
		}
		commands := plays(p, entries)
		b.post(func() { b.address(word, o, commands, a) })
		return nil
	})
}

// plays makes a play of each entry, as the one that named them all wanted it:
// the first is played where that was to be, the others follow it.
func plays(p player.Play, entries []audio.Entry) []player.Command {
	list := make([]player.Play, len(entries))
	for i, e := range entries {
		one := p
		one.URL, one.File = "", e.Location
		if isWeb(e.Location) {
			one.URL, one.File = e.Location, ""
		}
		if !sameHost(p.URL, one.URL) {
			one.Header = nil // it is for another
		}
		if one.Title == "" && e.Title != "" {
			one.Title, one.Override = e.Title, player.OverrideMissing
		}
		if i > 0 {
			one.Start, one.Enqueue, one.Repeat = 0, player.EnqueueAdd, ""
		}
		list[i] = one
	}
	if len(list) > 1 && p.Enqueue == player.EnqueuePlay {
		// The first plays. Each that is put next comes before those that were
		// put there before: the last goes in first.
		slices.Reverse(list[1:])
		for i := range list[1:] {
			list[1+i].Enqueue = player.EnqueueNext
		}
	}
	commands := make([]player.Command, len(list))
	for i, one := range list {
		commands[i] = one
	}
	return commands
}

// probeSound looks at a sound and answers what it is. Two at a time are looked
// at, so that nobody keeps the bridge busy with it.
func (b *Bridge) probeSound(p player.Play, a *answer) {
	select {
	case b.probing <- struct{}{}:
	default:
		a.give(&refusal{"rate_limited", "two sounds are being looked at already; ask again when they are done"})
		return
	}
	b.chores.Go(func() error {
		defer func() { <-b.probing }()
		ctx, cancel := context.WithTimeout(b.living, patience)
		defer cancel()
		opener, p, err := b.find(ctx, p)
		if err != nil {
			a.give(err)
			return nil
		}
		report, err := opener.Probe(ctx, locationOf(p))
		if err != nil {
			a.give(err)
			return nil
		}
		r := a.outcome(nil)
		r.Data = report
		a.face.result(r)
		return nil
	})
}
