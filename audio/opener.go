package audio

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"airplay2mqtt/audio/pcm"
)

// An Opener opens sound. Its zero value works; it may be used from several
// goroutines at once.
//
// What a track gives has 44100 stereo frames a second, whatever the sound had,
// and is read ahead by one goroutine, which ends with the track's Close. Its
// Source is a [*Buffer]. What the sound is, is found in its first bytes; names
// only decide between what looks alike.
type Opener struct {
	// DialContext makes the connections for http and https. It is the place to
	// refuse addresses: it is called with every address that is connected to,
	// after redirects too. Nil: that of a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for https. Nil: the system's certificates.
	TLS *tls.Config
	// Sign is called with every request before it is sent, and again with what a
	// redirect makes of it: the place to add headers, and to take them off where
	// they are not for that host. Nil: nothing is added.
	Sign func(*http.Request)
	// OpenFile opens paths, also those that playlists name, relative to the
	// playlist's own. It is the place to refuse them. A folder, of which
	// [Opener.Entries] lists the files, is opened by it too. Nil: any file is
	// opened, but a playlist can only name what lies in its folder or below.
	OpenFile func(path string) (*os.File, error)
	// AllowInput is asked before a fifo or a socket of the Unix domain is opened
	// as a live input, with its path behind all symbolic links. Nil: all are
	// allowed.
	AllowInput func(path string) error
	// FFmpeg is the program that decodes what this package does not: AAC, WMA and
	// others. Empty: ffmpeg, if it is installed. If there is none, these are
	// unsupported.
	FFmpeg string
	// MaxDownload is how many bytes are read from a URL, unless it is a radio,
	// which may go on for ever. Zero: 512 MiB.
	MaxDownload int64
	// Timeout is how long opening a URL may take, from the name's resolution to
	// the first frames. Zero: 10 s.
	Timeout time.Duration
	// Reconnect is how long a radio that is cut off is asked for again, with
	// silence meanwhile, before its track ends with an error. It begins anew
	// with each sound that comes. Zero: 10 minutes; negative: it is not.
	Reconnect time.Duration
	// ReadAhead is how much sound is read ahead. Zero: 5 s, and 1 s of what lies
	// on a disk.
	ReadAhead time.Duration
	// Logger is told of requests. Its zero value is silent.
	Logger zerolog.Logger
}

// Open opens sound as an [Opener] does that has no settings.
func Open(ctx context.Context, location string) (Track, error) {
	var o Opener
	return o.Open(ctx, location)
}

// Open opens a path, an http or https URL, standard input ("-"), or a live input
// of raw samples (pcm:, pcm+unix: or pcm+tcp://, as package pcm has it), which it
// does not wait for. A playlist
// (M3U, PLS or XSPF) stands for its first entry; [Opener.Entries] tells them
// all. ctx bounds the opening, not the track.
//
// Errors wrap os.ErrNotExist for files that are not there, [ErrUnsupported] for
// what is not sound that can be decoded, and context.DeadlineExceeded for what
// takes too long; a [*FetchError] is for what goes wrong with a URL, a
// [*TooLargeError] for what is larger than MaxDownload.
func (o *Opener) Open(ctx context.Context, location string) (Track, error) {
	return o.open(ctx, location, nil)
}

// OpenReader opens what r reads, from where it stands. It takes r over: the
// track closes it, and so does OpenReader if it fails. If r is an io.Seeker
// that works, the track can be sought. The name is for messages.
func (o *Opener) OpenReader(ctx context.Context, r io.ReadCloser, name string) (Track, error) {
	return o.track(ctx, newInput(r, name), nil)
}

// open opens what lies in the playlists of the trail.
func (o *Opener) open(ctx context.Context, location string, trail []string) (Track, error) {
	scheme, _, ok := strings.Cut(location, "://")
	switch {
	case slices.Contains(trail, location):
		return Track{}, containsItself(location)
	case location == "-":
		return o.track(ctx, openStdin(os.Stdin), trail)
	case pcm.Is(location):
		if len(trail) > 0 {
			return Track{}, &unsupportedError{name: location, what: "a live input in a playlist"}
		}
		return o.openPCM(ctx, location)
	case !ok:
		in, err := o.openPath(location)
		if err != nil {
			return Track{}, err
		}
		return o.track(ctx, in, append(trail, location))
	case !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return Track{}, &unsupportedError{name: scheme + "://…", what: "an address that is neither http nor https"}
	}
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return Track{}, &FetchError{URL: shown(u), Err: errors.New("not a URL")}
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(o.Timeout, defaultTimeout))
	defer cancel()
	in, err := o.fetch(ctx, u, nil)
	if err != nil {
		return Track{}, err
	}
	return o.track(ctx, in, append(trail, location))
}

const defaultTimeout = 10 * time.Second

func orDefault[T int64 | time.Duration](v, usual T) T {
	if v <= 0 {
		return usual
	}
	return v
}

// track makes a track of in, which it takes over. The trail ends with it.
func (o *Opener) track(ctx context.Context, in *input, trail []string) (t Track, err error) {
	stop := context.AfterFunc(ctx, func() { in.Close() })
	defer func() {
		if !stop() && err == nil { // ctx was over just when all was done
			t.Close()
			err = ctx.Err()
		}
		if err != nil {
			in.Close()
			t, err = Track{}, in.explain(ctx, err)
		}
	}()
	if in.listing != nil {
		return Track{}, &unsupportedError{name: in.name, what: "a folder, not a sound"}
	}
	found, err := in.sniff()
	if err != nil {
		return Track{}, err
	}
	switch found.kind {
	case playlist:
		return o.entry(ctx, in, trail)
	case hls:
		return o.openHLS(ctx, in, trail)
	}
	src, err := o.newDecoded(ctx, in, found)
	if err != nil {
		return Track{}, err
	}
	return o.readAhead(ctx, in, src)
}

// lasting makes a source that outlives connections of what is live.
func (o *Opener) lasting(in *input, c *chain) Source {
	if !in.live || in.asked == nil || o.Reconnect < 0 {
		return c
	}
	return newRadio(o, in, c)
}

// decode makes a decoder for an input that was sound before.
func (o *Opener) decode(ctx context.Context, in *input) (*decoded, error) {
	found, err := in.sniff()
	if err != nil {
		return nil, err
	}
	if found.kind == playlist || found.kind == hls {
		return nil, &unsupportedError{name: in.name, what: "a playlist, where there was sound"}
	}
	return o.newDecoded(ctx, in, found)
}

// fileAhead is how much of a file on a disk is read ahead: what reads it sends
// ahead of its time as well, and many streams at once shall be small.
const fileAhead = time.Second

// readAhead reads the track's first frames and lets the others follow.
func (o *Opener) readAhead(ctx context.Context, in *input, src *decoded) (Track, error) {
	ahead := o.ReadAhead
	if ahead <= 0 && in.file != nil && in.seeker != nil {
		ahead = fileAhead
	}
	b := newBuffer(o.lasting(in, newChain(src)), ahead, in.titles)
	b.prime(ctx)
	b.begin()
	if err := b.failed(); err != nil {
		b.Close()
		if err == io.EOF {
			err = &unsupportedError{name: in.name, what: "a sound without a single frame"}
		}
		return Track{}, err
	}
	t := Track{Source: b, Tags: src.tags, Format: src.format, Live: in.live}
	if in.titles != nil {
		t.Titles = in.titles.out
	}
	return t, nil
}

// entry opens the first entry of the playlist that in is.
func (o *Opener) entry(ctx context.Context, in *input, trail []string) (Track, error) {
	if len(trail) > playlistsAtMost {
		return Track{}, &unsupportedError{name: in.name, what: tooDeep}
	}
	entries, err := in.entries()
	if err != nil {
		return Track{}, err
	}
	in.Close()
	first := entries[0]
	place, err := in.beside(first.Location)
	if err != nil {
		return Track{}, err
	}
	var t Track
	if o.OpenFile != nil || strings.Contains(place, "://") {
		t, err = o.open(ctx, place, trail)
	} else {
		t, err = o.openBeside(ctx, in, place, trail)
	}
	t.Tags.Title = cmp.Or(t.Tags.Title, first.Title)
	return t, err
}

// openBeside opens a file that a playlist names, in its folder or below.
func (o *Opener) openBeside(ctx context.Context, list *input, path string, trail []string) (Track, error) {
	if slices.Contains(trail, path) {
		return Track{}, containsItself(path)
	}
	name, err := filepath.Rel(list.folder, path)
	if err != nil {
		name = path
	}
	next, err := openBeside(list.folder, name)
	if err != nil {
		return Track{}, err
	}
	next.folder = filepath.Join(list.folder, filepath.Dir(name))
	return o.track(ctx, next, append(trail, path))
}
