package audio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"airplay2mqtt/audio/pcm"
)

// playlistsAtMost is how deep playlists may lie in playlists, and folders in
// folders.
const playlistsAtMost = 3

// Entries lists the sounds of a playlist (M3U, PLS or XSPF, by path or URL) or
// of a folder, in its order or in that of names, in which "2" comes before
// "10". Playlists in playlists are listed too, and folders in folders, to a
// depth of 3; 1000 entries are the most. Of a folder, files count that are
// called or begin like sound. What is neither playlist nor folder is its own
// only entry.
//
// An entry's location is for Open of the same Opener. A playlist by URL can
// name only URLs; one that is a file names URLs and, unless OpenFile decides
// that, files in its own folder or below. A playlist that contains itself is an
// error, which wraps [ErrUnsupported], as for one without entries.
func (o *Opener) Entries(ctx context.Context, location string) ([]Entry, error) {
	l := lister{o: o}
	if err := l.add(ctx, Entry{Location: location}, nil); err != nil {
		return nil, err
	}
	if len(l.entries) == 0 {
		return nil, &unsupportedError{name: shownLocation(location), what: "a folder without a sound in it"}
	}
	return l.entries, nil
}

// A lister collects entries.
type lister struct {
	o       *Opener
	entries []Entry
}

// add lists what an entry stands for. trail is the lists that it lies in.
func (l *lister) add(ctx context.Context, e Entry, trail []string) error {
	switch {
	case len(l.entries) == entriesAtMost:
		return nil
	case len(trail) > 0 && !namesPlaylist(withoutQuery(e.Location), ""):
		l.entries = append(l.entries, e)
		return nil
	case slices.Contains(trail, e.Location):
		return containsItself(e.Location)
	case len(trail) > playlistsAtMost:
		return &unsupportedError{name: e.Location, what: tooDeep}
	}
	in, err := l.o.look(ctx, e.Location)
	if in == nil || err != nil {
		if in == nil && err == nil {
			l.entries = append(l.entries, e)
		}
		return err
	}
	defer in.Close()
	if in.listing != nil {
		return l.o.folder(in.listing, e.Location, 1, l.append)
	}
	found, err := in.sniff()
	if found.kind != playlist {
		if err != nil && (len(trail) > 0 || !errors.Is(err, ErrUnsupported)) {
			return in.explain(ctx, err)
		}
		l.entries = append(l.entries, e) // if it is no sound, Open says what it is
		return nil
	}
	entries, err := in.entries()
	if err != nil {
		return in.explain(ctx, err)
	}
	trail = append(slices.Clip(trail), e.Location)
	return l.addAll(ctx, in, entries, trail)
}

// addAll adds the entries of a playlist. One that cannot be played does not
// keep the others from it.
func (l *lister) addAll(ctx context.Context, in *input, entries []Entry, trail []string) error {
	var first error
	before := len(l.entries)
	for _, e := range entries {
		place, err := in.beside(e.Location)
		if err == nil {
			e.Location = place
			if l.o.OpenFile == nil && in.url == nil && !strings.Contains(place, "://") && !within(in.folder, place) {
				err = &unsupportedError{name: in.name, what: "a playlist that names files outside its folder"}
			}
		}
		if err == nil {
			err = l.add(ctx, e, trail)
		}
		if errors.Is(err, errCircle) || ctx.Err() != nil {
			return err
		}
		if err != nil && first == nil {
			first = err
		}
	}
	if len(l.entries) == before {
		return first
	}
	return nil
}

func (l *lister) append(path string) bool {
	if len(l.entries) < entriesAtMost {
		l.entries = append(l.entries, Entry{Location: path})
	}
	return len(l.entries) < entriesAtMost
}

const tooDeep = "a playlist in a playlist in a playlist"

// errCircle is what a playlist that contains itself is.
var errCircle = errors.New("a playlist that contains itself")

func containsItself(name string) error {
	return &unsupportedError{name: shownLocation(name), what: errCircle.Error(), cause: errCircle}
}

// shownLocation is a location without what is nobody's business.
func shownLocation(location string) string {
	if u, err := url.Parse(location); err == nil && u.Host != "" {
		return shown(u)
	}
	return location
}

func withoutQuery(location string) string {
	if strings.Contains(location, "://") {
		location, _, _ = strings.Cut(location, "?")
	}
	return location
}

// look opens what might be a list, nil for what is none in any case.
func (o *Opener) look(ctx context.Context, location string) (*input, error) {
	scheme, _, remote := strings.Cut(location, ":")
	switch {
	case location == "-":
		return nil, nil
	case strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"):
		u, err := url.Parse(location)
		if err != nil || u.Host == "" {
			return nil, &FetchError{URL: shown(u), Err: errors.New("not a URL")}
		}
		ctx, cancel := context.WithTimeout(ctx, orDefault(o.Timeout, defaultTimeout))
		defer cancel()
		return o.fetch(ctx, u, nil)
	case remote && (strings.Contains(location, "://") || pcm.Is(location)):
		return nil, nil
	}
	return o.openPath(location)
}

// entries reads the playlist that the input is.
func (in *input) entries() ([]Entry, error) {
	text, err := io.ReadAll(io.LimitReader(in, playlistSize))
	if err != nil {
		return nil, err
	}
	in.escaped = bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), []byte("<"))
	entries := parsePlaylist(text)
	if len(entries) == 0 {
		return nil, &unsupportedError{name: in.name, what: "a playlist without entries"}
	}
	return entries, nil
}

// beside is where an entry of the playlist that the input is lies.
func (in *input) beside(location string) (string, error) {
	if in.url != nil {
		u, err := in.url.Parse(location)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", &unsupportedError{name: in.name, what: "a playlist with an entry that is no http address"}
		}
		return u.String(), nil
	}
	if scheme, _, ok := strings.Cut(location, "://"); ok {
		switch {
		case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "https"):
			return location, nil
		case !strings.EqualFold(scheme, "file"):
			return "", &unsupportedError{name: in.name, what: "a playlist with an entry that is neither a file nor an http address"}
		}
		u, err := url.Parse(location)
		if err != nil {
			return "", &unsupportedError{name: in.name, what: "a playlist with an entry that is no address"}
		}
		location = u.Path
	} else if in.escaped {
		if plain, err := url.PathUnescape(location); err == nil {
			location = plain
		}
	}
	if in.folder == "" {
		return "", &unsupportedError{name: in.name, what: "a playlist of files that came without its folder"}
	}
	location = filepath.FromSlash(strings.ReplaceAll(location, `\`, "/"))
	if filepath.IsAbs(location) {
		return filepath.Clean(location), nil
	}
	return filepath.Join(in.folder, location), nil
}

// within tells whether a path lies in a folder or below, by its name.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// folder finds the sounds in a folder and below, and stops when add says so.
func (o *Opener) folder(f *os.File, path string, depth int, add func(path string) bool) error {
	const most = 10 * entriesAtMost // names that are looked at
	items, err := f.ReadDir(most)
	if err != nil && err != io.EOF {
		return fmt.Errorf("audio: list %s: %w", path, cause(err))
	}
	slices.SortFunc(items, func(a, b fs.DirEntry) int { return natural(a.Name(), b.Name()) })
	for _, item := range items {
		name := filepath.Join(path, item.Name())
		switch {
		case strings.HasPrefix(item.Name(), "."):
		case item.IsDir():
			if depth < playlistsAtMost {
				if err := o.subfolder(name, depth+1, add); err != nil {
					return err
				}
			}
		case o.sounds(name) && !add(name):
			return nil
		}
	}
	return nil
}

// subfolder is folder for one that need not be there any more, or may not be
// read.
func (o *Opener) subfolder(path string, depth int, add func(path string) bool) error {
	in, err := o.openPath(path)
	if err != nil {
		return nil
	}
	defer in.Close()
	if in.listing == nil {
		return nil
	}
	return o.folder(in.listing, path, depth, add)
}

// sounds tells whether a file is called like a sound or else begins like one.
func (o *Opener) sounds(path string) bool {
	if namesPlaylist(path, "") {
		return false // its sounds lie in the folder too
	}
	if slices.Contains(endings, strings.ToLower(filepath.Ext(path))) {
		return true
	}
	in, err := o.openPath(path)
	if err != nil {
		return false
	}
	defer in.Close()
	if in.listing != nil || in.peek(4096) != nil {
		return false
	}
	found, _ := sniff(bytes.Clone(in.head), true, path, "")
	return found.kind != unknown && found.kind != playlist && found.kind != hls
}

var endings = []string{
	".mp3", ".flac", ".ogg", ".oga", ".opus", ".wav", ".wave", ".aif", ".aiff", ".aifc",
	".m4a", ".m4b", ".aac", ".wma", ".mka", ".wv", ".ape", ".caf", ".mp2",
	".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", // films have sound
}
