package bridge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/internal/nearest"

	"github.com/rs/zerolog"
)

// chimes are the sounds that have names: those in the folder of chimes, called
// as their files are, and our own, which are always there. What is in the
// folder comes first. Its methods may be called from any goroutine.
type chimes struct {
	folder  string
	opener  *audio.Opener
	cache   *audio.Cache
	make    func(*audio.Clip) (*audio.Clip, error) // brings a clip to the loudness of all
	log     zerolog.Logger
	changed func() // told when there are others than before

	mu    sync.Mutex
	files map[string]string  // by name in lower case: the path
	said  []string           // all names, as they were told
	ours  map[string][]int16 // by name: left and right in turn, half as large as a clip
	last  string             // which of ours was asked for last
	clip  *audio.Clip        // and that one as a clip
}

// ahead is the one of our own chimes that is made before it is asked for. Others
// are made when they first are, within some milliseconds: all of them take more
// memory than the rest of an idle bridge.
const ahead = "doorbell"

// run makes that chime, and looks into the folder now and then, until ctx ends.
func (c *chimes) run(ctx context.Context) error {
	c.scan(ctx)
	c.compose(ahead)
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.scan(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// compose makes one of our own chimes, as loud as all of them.
func (c *chimes) compose(name string) {
	pcm, _ := chime.PCM(name)
	if c.make != nil {
		clip, err := c.make(clipOfPCM(pcm))
		if err != nil {
			c.log.Warn().Err(err).Str("chime", name).Msg("a chime could not be made")
			return
		}
		pcm = make([]int16, 2*len(clip.Frames()))
		new(audio.Quantizer).Quantize(pcm, clip.Frames())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ours[name] = pcm
}

// clipOfPCM is samples, left and right in turn, as a clip.
func clipOfPCM(pcm []int16) *audio.Clip {
	frames := make([]audio.Frame, len(pcm)/2)
	for i := range frames {
		frames[i] = audio.Frame{float32(pcm[2*i]) / 0x8000, float32(pcm[2*i+1]) / 0x8000}
	}
	return audio.NewClip(frames)
}

// scan looks which files there are.
func (c *chimes) scan(ctx context.Context) {
	entries, err := c.opener.Entries(ctx, c.folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, audio.ErrUnsupported) {
		return // the cache says what is wrong with the folder
	}
	files := map[string]string{}
	for _, e := range slices.Backward(entries) { // of two with one name the first counts
		if name, ok := chimeName(c.folder, e.Location); ok {
			files[strings.ToLower(name)] = e.Location
		}
	}
	c.mu.Lock()
	c.files = files
	names := c.all()
	news := !slices.Equal(names, c.said)
	c.said = names
	c.mu.Unlock()
	if news {
		c.changed()
	}
}

// chimeName is what a file in the folder is called: its path in it, without the
// ending.
func chimeName(folder, path string) (string, bool) {
	rel, err := filepath.Rel(folder, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(strings.TrimSuffix(rel, filepath.Ext(rel))), true
}

// names are those of all chimes.
func (c *chimes) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all()
}

// all wants mu held.
func (c *chimes) all() []string {
	names := slices.AppendSeq(chime.Names(), maps.Keys(c.files))
	slices.Sort(names)
	return slices.Compact(names)
}

// kept gives a chime that is in memory. It opens nothing and does not wait.
func (c *chimes) kept(name string) (*audio.Clip, bool) {
	name = strings.ToLower(name)
	if path, ok := c.file(name); ok {
		return c.cache.Lookup(path)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == c.last {
		return c.clip, true
	}
	pcm, ok := c.ours[name]
	if !ok {
		return nil, false
	}
	c.last, c.clip = name, clipOfPCM(pcm)
	return c.clip, true
}

// file is the path of a chime in the folder.
func (c *chimes) file(name string) (path string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path, ok = c.files[name]
	return path, ok
}

// get gives a chime, which may have to be decoded, or made, first.
func (c *chimes) get(ctx context.Context, name string) (*audio.Clip, error) {
	low := strings.ToLower(name)
	for range 2 {
		if path, ok := c.file(low); ok {
			return c.cache.Get(ctx, path)
		}
		if clip, ok := c.kept(low); ok {
			return clip, nil
		}
		if slices.Contains(chime.Names(), low) {
			c.compose(low)
			continue
		}
		c.scan(ctx) // it may have come a moment ago
	}
	names := c.names()
	return nil, &refusal{"file_not_found", fmt.Sprintf("there is no chime %q%s; there are %s, and what is put into the folder of chimes (media.chimes)",
		oneLine(name), nearest.Hint(name, names), oneLine(strings.Join(names, ", ")))}
}
