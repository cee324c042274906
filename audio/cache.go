package audio

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// A Cache keeps the sounds of files decoded, so that what is short begins at
// once. Its zero value works, must not be copied, and may be used from several
// goroutines at once.
//
// A clip is of a path, with the size and the time of change that the file had.
// If the file has others, it is decoded again. What has not been asked for the
// longest makes room for what is new.
type Cache struct {
	// Opener opens the files. Nil: one without settings.
	Opener *Opener
	// Bytes is how much is kept, of decoded sound: 353 kB for each second. Zero:
	// 64 MiB.
	Bytes int64
	// Longest is how long a sound may be that is decoded whole. Zero: 30 s.
	Longest time.Duration
	// Make changes a clip before it is kept, [Clip.Normalise] say. Nil: it is
	// kept as it is.
	Make func(*Clip) (*Clip, error)
	// Logger is told of files that cannot be kept. Its zero value is silent.
	Logger zerolog.Logger

	mu    sync.Mutex
	kept  map[string]*list.Element // of *kept, by path
	order list.List                // of *kept, the last one used in front
	bytes int64
}

// A version tells one state of a file from another.
type version struct {
	size    int64
	changed time.Time
}

func versionOf(info os.FileInfo) version { return version{info.Size(), info.ModTime()} }

// kept is a clip, or one that is being made.
type kept struct {
	path    string
	name    string // of the file; "": not opened yet
	version version
	ready   chan struct{} // closed when the rest is there
	clip    *Clip
	err     error
	bytes   int64
}

// Get gives the sound of a file, from memory if it is there and the file is
// still what it was. Of those who ask for the same at once, one decodes. A sound
// that is too long is an error that wraps [ErrTooLong].
func (c *Cache) Get(ctx context.Context, path string) (*Clip, error) {
	for {
		k, first := c.find(path)
		if first {
			c.make(ctx, k)
		}
		select {
		case <-k.ready:
		case <-ctx.Done():
			return nil, fmt.Errorf("audio: get %s: %w", path, ctx.Err())
		}
		if k.err != nil && !first && isContext(k.err) && ctx.Err() == nil {
			continue // the one who decoded has left
		}
		return k.clip, k.err
	}
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Lookup gives the sound of a file if it is in memory and the file is still what
// it was. It opens nothing and does not wait.
func (c *Cache) Lookup(path string) (*Clip, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.kept[path]
	if e == nil {
		return nil, false
	}
	k := e.Value.(*kept)
	select {
	case <-k.ready:
	default:
		return nil, false
	}
	if k.err != nil || !k.fresh() {
		return nil, false
	}
	c.order.MoveToFront(e)
	return k.clip, true
}

// find is what is kept of a path, or something new that the caller is to make.
func (c *Cache) find(path string) (k *kept, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.kept[path]; e != nil {
		k := e.Value.(*kept)
		if k.fresh() {
			c.order.MoveToFront(e)
			return k, false
		}
		c.remove(e)
	}
	k = &kept{path: path, ready: make(chan struct{})}
	if c.kept == nil {
		c.kept = make(map[string]*list.Element)
	}
	c.kept[path] = c.order.PushFront(k)
	return k, true
}

// fresh tells whether the file is still the one that was decoded. It looks at
// the file and opens nothing.
func (k *kept) fresh() bool {
	select {
	case <-k.ready:
	default:
		return true
	}
	info, err := os.Stat(k.name)
	return err == nil && versionOf(info) == k.version
}

// make decodes k and keeps it, if it can be kept.
func (c *Cache) make(ctx context.Context, k *kept) {
	clip, name, v, err := c.decode(ctx, k.path)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(k.ready)
	k.clip, k.name, k.version, k.err = clip, name, v, err
	e := c.kept[k.path]
	if e == nil || e.Value != k {
		return
	}
	if err == nil {
		k.bytes = int64(len(clip.frames))*frameBytes + int64(len(clip.tags.Artwork))
	}
	limit := orDefault(c.Bytes, defaultCache)
	if err != nil || k.bytes > limit {
		c.remove(e)
		return
	}
	for c.bytes += k.bytes; c.bytes > limit; {
		c.remove(c.order.Back())
	}
}

const (
	defaultCache   = 64 << 20
	defaultLongest = 30 * time.Second
	frameBytes     = 8
)

// remove forgets what is kept. c.mu is held.
func (c *Cache) remove(e *list.Element) {
	k := e.Value.(*kept)
	c.order.Remove(e)
	delete(c.kept, k.path)
	c.bytes -= k.bytes
}

// decode reads a file whole.
func (c *Cache) decode(ctx context.Context, path string) (*Clip, string, version, error) {
	fail := func(err error) (*Clip, string, version, error) { return nil, "", version{}, err }
	in, err := c.opener().openPath(path)
	if err != nil {
		return fail(err)
	}
	if in.file == nil {
		in.Close()
		return fail(&unsupportedError{name: path, what: "a folder, not a sound"})
	}
	name := in.file.Name()
	info, err := in.file.Stat()
	if err != nil {
		in.Close()
		return fail(fmt.Errorf("audio: open %s: %w", path, cause(err)))
	}
	track, err := c.opener().track(ctx, in, []string{path})
	if err != nil {
		return fail(err)
	}
	defer track.Close()
	clip, err := ReadClip(ctx, track.Source, orDefault(c.Longest, defaultLongest))
	if err != nil {
		return fail(err)
	}
	clip.tags = track.Tags
	if c.Make != nil {
		if clip, err = c.Make(clip); err != nil {
			return fail(err)
		}
	}
	return clip, name, versionOf(info), nil
}

func (c *Cache) opener() *Opener {
	if c.Opener == nil {
		return &Opener{}
	}
	return c.Opener
}

// Warm reads the sounds of a folder and below, in the order of names, until no
// more can be kept. Files that cannot are logged. The error is that of the
// folder, or ctx's.
func (c *Cache) Warm(ctx context.Context, folder string) error {
	_, err := c.warm(ctx, folder, nil)
	return err
}

// warm is Warm that says nothing of what it has failed with before.
func (c *Cache) warm(ctx context.Context, folder string, before map[string]string) (failed map[string]string, err error) {
	in, err := c.opener().openPath(folder)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if in.listing == nil {
		return nil, &unsupportedError{name: folder, what: "not a folder"}
	}
	failed = make(map[string]string)
	err = c.opener().folder(in.listing, folder, 1, func(path string) bool {
		if _, err := c.Get(ctx, path); err != nil && ctx.Err() == nil {
			if failed[path] = err.Error(); before[path] != failed[path] {
				c.Logger.Warn().Str("file", path).Err(err).Msg("not kept in memory")
			}
		}
		return ctx.Err() == nil && !c.full()
	})
	if err == nil {
		err = ctx.Err()
	}
	return failed, err
}

// full tells whether what comes next would make others go.
func (c *Cache) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := orDefault(c.Bytes, defaultCache)
	return c.bytes > limit-limit/8
}

// Watch warms the folder now and then again, every so often (zero: a minute),
// so that a file that was changed or added is there before it is asked for, and
// one that has gone is not kept. The folder need not be there yet. It ends with
// ctx, whose error it returns.
func (c *Cache) Watch(ctx context.Context, folder string, every time.Duration) error {
	var failed map[string]string
	for said := ""; ; {
		f, err := c.warm(ctx, folder, failed)
		if failed = f; err != nil && !errors.Is(err, os.ErrNotExist) && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			c.Logger.Warn().Str("folder", folder).Err(err).Msg("folder cannot be read, trying again")
		}
		c.forget(folder)
		if err := pause(ctx, orDefault(every, time.Minute)); err != nil {
			return ctx.Err()
		}
	}
}

// forget drops clips of a folder whose files have gone or changed.
func (c *Cache) forget(folder string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; {
		k := e.Value.(*kept)
		next := e.Next()
		if within(filepath.Clean(folder), filepath.Clean(k.path)) && !k.fresh() {
			c.remove(e)
		}
		e = next
	}
}

// Size is how many clips are kept, and in how many bytes.
func (c *Cache) Size() (clips int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.kept), c.bytes
}
