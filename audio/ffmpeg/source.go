package ffmpeg

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
)

// A source is what the sound is read from, and what it is turned into so that
// ffmpeg can read it from a pipe.
type source struct {
	r *steady

	mu   sync.Mutex
	file io.ReadSeeker // of r, or what was kept of it; nil: it cannot seek
	base int64         // where the sound begins in file
	size int64         // of the sound
	info movie
}

func newSource(r io.Reader) *source {
	s := &source{r: &steady{r: r}}
	file, ok := r.(io.ReadSeeker)
	if !ok {
		return s
	}
	base, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return s // a pipe that calls itself a file
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end < base {
		return s
	}
	if _, err := file.Seek(base, io.SeekStart); err != nil || end == base {
		return s // a device, which has no size
	}
	s.keep(&steadyFile{s.r, file}, base, end-base)
	return s
}

// A steady reader can be told to stop, and gives up on one that returns nothing
// all the time.
type steady struct {
	r    io.Reader
	stop *atomic.Bool
}

func (s *steady) Read(p []byte) (int, error) {
	for range 100 {
		if s.stop.Load() {
			return 0, fs.ErrClosed
		}
		if n, err := s.r.Read(p); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

type steadyFile struct {
	*steady
	io.Seeker
}

func (s *source) keep(file io.ReadSeeker, base, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file, s.base, s.size = file, base, size
}

// seekable may become true while a sound is opened, and stays so.
func (s *source) seekable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file != nil
}

// movie is what is known of an MP4 file once it has been opened.
func (s *source) movie() movie {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

func (s *source) note(m movie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = m
}

// open returns the sound from its beginning. It may be called again if the
// source is seekable. Once stop is true, nothing is read any more.
func (s *source) open(stop *atomic.Bool) (io.Reader, error) {
	s.r.stop = stop
	if s.seekable() {
		return s.openFile()
	}
	return s.openStream()
}

// openFile brings the index of an MP4 file to its front.
func (s *source) openFile() (io.Reader, error) {
	if _, err := s.file.Seek(s.base, io.SeekStart); err != nil {
		return nil, fmt.Errorf("ffmpeg: seek: %w", err)
	}
	l, err := scan(s.file, s.base, s.size)
	if err != nil {
		return nil, err
	}
	out := newAssembly(s.file, s.base)
	if l.moov.size == 0 || l.moov.size > maxIndex && !l.behind() {
		return out.add(0, s.size), nil
	}
	index, err := l.readIndex(s.file, s.base)
	if err != nil {
		return nil, err
	}
	if err := s.study(index); err != nil {
		return nil, err
	}
	if !l.behind() {
		return out.add(0, s.size), nil
	}
	if index, err = l.move(index); err != nil {
		return nil, err
	}
	out.add(0, l.data).addBytes(index).add(l.data, l.moov.at).add(l.moov.end(), s.size)
	return out, nil
}

// study notes what an index says.
func (s *source) study(index []byte) error {
	m := parseMovie(index)
	s.note(m)
	if m.protected {
		return fmt.Errorf("%w: its sound is encrypted (DRM)", ErrFormat)
	}
	return nil
}

// maxKept is how much of a stream is kept in memory to find an index behind it.
const maxKept = 16 << 20

// openStream looks for the index of an MP4 stream. Where it comes behind the
// samples, all is kept, if it is not too much.
func (s *source) openStream() (io.Reader, error) {
	k := &keeper{r: s.r}
	for at := int64(0); ; {
		if more, err := k.need(at + boxHead); !more {
			return k.all(), err
		}
		b, err := k.box(at)
		switch {
		case err != nil:
			return nil, err
		case at == 0 && !b.begins(), !b.valid(), b.kind == "moof":
			return k.all(), nil
		case b.kind == "mdat":
			return s.openKept(k)
		case b.kind == "moov":
			if b.size > maxIndex {
				return nil, errIndexLarge
			}
			if more, err := k.need(b.end()); !more {
				return k.all(), err
			}
			return k.all(), s.study(k.kept[b.at:b.end()])
		case b.endless || b.end() > maxKept:
			return k.all(), nil
		}
		at = b.end()
	}
}

var errIndexLarge = fmt.Errorf("%w: an index of more than %d MiB", ErrFormat, maxIndex>>20)

var errIndexBehind = fmt.Errorf("%w: the index of this MP4 file is at its end, where it is no use to a stream; "+
	"a file can be played, or one made for streaming (faststart)", ErrFormat)

// openKept keeps the whole stream and makes a file of it.
func (s *source) openKept(k *keeper) (io.Reader, error) {
	more, err := k.need(maxKept + 1)
	if err != nil {
		return nil, err
	}
	if more {
		return nil, errIndexBehind
	}
	s.keep(bytes.NewReader(k.kept), 0, int64(len(k.kept)))
	return s.openFile()
}

// A keeper keeps what it reads.
type keeper struct {
	r    io.Reader
	kept []byte
}

// all is what was kept and what follows.
func (k *keeper) all() io.Reader { return io.MultiReader(bytes.NewReader(k.kept), k.r) }

// need makes sure that n bytes are kept. It returns false if there are not so
// many, and an error if it was not the end that came before.
func (k *keeper) need(n int64) (bool, error) {
	for int64(len(k.kept)) < n {
		if len(k.kept) == cap(k.kept) {
			k.kept = append(k.kept, 0)[:len(k.kept)] // by a quarter, when there is much
		}
		got, err := k.r.Read(k.kept[len(k.kept):min(int64(cap(k.kept)), n)])
		k.kept = k.kept[:len(k.kept)+got]
		switch {
		case int64(len(k.kept)) >= n:
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// box reads the head of the box at an offset, of which boxHead bytes are kept.
func (k *keeper) box(at int64) (box, error) {
	if isLarge(k.kept[at:]) {
		if _, err := k.need(at + largeBoxHead); err != nil {
			return box{}, err
		}
	}
	return parseBox(k.kept[at:], at, -1), nil
}
