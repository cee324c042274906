package audio

import (
	"bufio"
	"context"
	"io"
	"os"
)

// What tests outside the package look at inside.
var (
	Dot           = dot
	DotGo         = dotGo
	Grid          = grid
	GridGo        = gridGo
	ParsePlaylist = parsePlaylist
	ParseTitle    = parseTitle
	Natural       = natural
)

// Sniff tells what head is: a kind, or what it looks like instead.
func Sniff(head []byte, whole bool, name, mime string) (what string, skip int64, more int) {
	f, more := sniff(head, whole, name, mime)
	if f.kind == unknown {
		return f.what, f.skip, more
	}
	return f.kind.String(), f.skip, more
}

// SniffMost is how many bytes Sniff wants at most.
const SniffMost = sniffMost

// NewICYReader takes the titles out of a stream.
func NewICYReader(r io.Reader, every int, say func(string)) io.Reader {
	return &icyReader{r: bufio.NewReader(r), every: every, left: every, say: say}
}

// OpenStdin opens f as if it were standard input.
func OpenStdin(ctx context.Context, o *Opener, f *os.File) (Track, error) {
	return o.track(ctx, openStdin(f), nil)
}

// ParseHLS tells how many variants and segments a list has.
func ParseHLS(text string) (variants, segments int, ended bool) {
	l := parseMedia(text)
	return len(parseMaster(text)), len(l.segments), l.ended
}
