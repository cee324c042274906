package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// An input is the bytes of a sound on their way to the decoder. It can be
// looked into before it is read, and remembers what went wrong, because a
// decoder takes any error for the end.
type input struct {
	name   string                // for messages
	r      io.Reader             // what has not been read
	seeker io.Seeker             // of r; nil: it cannot seek
	begin  int64                 // where the sound begins in seeker
	head   []byte                // what has been looked at, of an r that cannot seek
	ended  bool                  // r is at its end
	torn   atomic.Pointer[error] // why r failed, other than at its end
	closed atomic.Bool
	close  func() error

	mime    string        // what the server calls it
	url     *url.URL      // where it came from
	asked   *url.URL      // and what was asked for, before redirects
	folder  string        // of the file it is; "": it is none
	escaped bool          // it is a playlist whose entries are written as in URLs
	file    *os.File      // it is one
	listing *os.File      // it is a folder, and nothing else here counts
	live    bool          // see Track.Live
	titles  *titles       // of a radio
	said    Tags          // by the server
	again   io.ReadSeeker // reads the same and can seek, where r cannot; or nil
}

// newInput reads r, which it takes over.
func newInput(r io.ReadCloser, name string) *input {
	in := &input{name: name, r: r, close: sync.OnceValue(r.Close)}
	if s, ok := r.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			in.seeker, in.begin = s, at
			return in
		}
	}
	p := newPump(r)
	in.r, in.close = p, sync.OnceValue(p.Close)
	return in
}

// openStdin reads standard input. A file that is redirected to it can be
// sought.
func openStdin(f *os.File) *input {
	const name = "standard input"
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return newInput(f, name)
	}
	return newInput(struct{ io.ReadCloser }{f}, name) // hides Seek, which works on nothing else
}

// openPath opens a file, or a folder for its listing.
func (o *Opener) openPath(path string) (*input, error) {
	if path == "" {
		return nil, fmt.Errorf("audio: open: no path: %w", fs.ErrNotExist)
	}
	if o.OpenFile != nil {
		f, err := o.OpenFile(path)
		if err != nil {
			return nil, fmt.Errorf("audio: open: %w", err)
		}
		return newFile(f, path, filepath.Dir(path))
	}
	// Looked at before it is opened: opening alone can wait for ever (a fifo) or
	// do something (a tape).
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("audio: open %s: %w", path, cause(err))
	}
	if err := readable(path, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("audio: open %s: %w", path, cause(err))
	}
	return newFile(f, path, filepath.Dir(path))
}

// openBeside opens a file that a playlist in folder names. It must lie in that
// folder, or below: the playlist may have been written by somebody who must
// not read other files.
func openBeside(folder, name string) (*input, error) {
	name = filepath.FromSlash(strings.ReplaceAll(name, `\`, "/"))
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("audio: open %s: %w", folder, cause(err))
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("audio: open %s from a playlist: %w", name, cause(err))
	}
	if err := readable(name, info); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("audio: open %s from a playlist: %w", name, cause(err))
	}
	return newFile(f, name, folder)
}

// newFile makes an input of a file after a last look at what was opened.
func newFile(f *os.File, name, folder string) (*input, error) {
	info, err := f.Stat()
	if err == nil {
		err = readable(name, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	if info.IsDir() {
		return &input{name: name, listing: f, close: sync.OnceValue(f.Close)}, nil
	}
	in := newInput(f, name)
	in.folder, in.file = folder, f
	return in, nil
}

// readable refuses what is neither a file nor a folder.
func readable(name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() || info.IsDir() {
		return nil
	}
	return &unsupportedError{name: name, what: "not a file", advice: "pipes and devices can only be read as standard input"}
}

// cause is an error without the path that we say ourselves.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (in *input) Read(p []byte) (int, error) {
	if len(in.head) > 0 {
		n := copy(p, in.head)
		in.head = in.head[n:]
		return n, nil
	}
	return in.more(p)
}

func (in *input) more(p []byte) (n int, err error) {
	if in.closed.Load() {
		return 0, fs.ErrClosed
	}
	defer func() {
		if err != nil && err != io.EOF {
			in.torn.CompareAndSwap(nil, &err)
		}
	}()
	defer recovered(&err)
	return in.r.Read(p)
}

// failed is what went wrong with what is read.
func (in *input) failed() error {
	if why := in.torn.Load(); why != nil {
		return *why
	}
	return nil
}

// Close ends a Read that waits.
func (in *input) Close() error {
	in.closed.Store(true)
	return in.close()
}

// peek makes sure that the first n bytes have been looked at, unless there are
// fewer.
func (in *input) peek(n int) error {
	for range 1000 {
		if len(in.head) >= n || in.ended {
			return nil
		}
		if cap(in.head) < n {
			in.head = append(make([]byte, 0, n), in.head...)
		}
		got, err := in.more(in.head[len(in.head):n])
		in.head = in.head[:len(in.head)+got]
		if err == io.EOF {
			in.ended = true
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// sniff finds out what the bytes are, without reading them.
func (in *input) sniff() (finding, error) {
	found, err := in.lookFrom(0)
	if err != nil {
		return finding{}, err
	}
	if found.kind == tagged && in.seeker != nil {
		behind, err := in.lookFrom(found.skip)
		if err != nil {
			return finding{}, err
		}
		if behind.kind != unknown {
			behind.skip = found.skip
			found = behind
		}
	}
	if found.kind == unknown && found.foreign() {
		found.kind = foreign
	}
	if found.kind == unknown {
		return finding{}, &unsupportedError{name: in.name, what: found.what, advice: found.advice}
	}
	return found, in.rewind()
}

// lookFrom sniffs what is at an offset, which is 0 unless the input can seek.
func (in *input) lookFrom(offset int64) (finding, error) {
	if in.seeker != nil {
		if _, err := in.seeker.Seek(in.begin+offset, io.SeekStart); err != nil {
			return finding{}, err
		}
		in.head, in.ended = nil, false
	}
	for need := sniffFirst; ; {
		if err := in.peek(need); err != nil {
			return finding{}, err
		}
		found, more := sniff(in.head, in.ended, in.name, in.mime)
		if more == 0 {
			return found, nil
		}
		need = max(more, len(in.head)+1)
	}
}

// rewind goes back to the beginning after a look.
func (in *input) rewind() error {
	if in.seeker == nil {
		return nil
	}
	in.head, in.ended = nil, false
	_, err := in.seeker.Seek(in.begin, io.SeekStart)
	return err
}

// repeat begins again, with what can seek.
func (in *input) repeat() error {
	if d, ok := in.r.(*download); ok {
		d.drop()
	}
	in.r, in.seeker, in.again = in.again, in.again, nil
	return in.rewind()
}

// reader is what the decoder reads, an io.Seeker if the input can seek.
func (in *input) reader() io.Reader {
	if in.seeker == nil {
		return in
	}
	return &seekingInput{in}
}

type seekingInput struct{ *input }

// Seek counts from where the sound begins.
func (in *seekingInput) Seek(offset int64, whence int) (int64, error) {
	if in.closed.Load() {
		return 0, fs.ErrClosed
	}
	if whence == io.SeekStart {
		offset += in.begin
	}
	at, err := in.seeker.Seek(offset, whence)
	return at - in.begin, err
}

// explain makes the error of an opening: what ended it comes first.
func (in *input) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	} else if why := in.failed(); why != nil {
		err = why
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no sound in time: %w", err)
	}
	var unsupported *unsupportedError
	var fetch *FetchError
	var large *TooLargeError
	switch {
	case errors.As(err, &unsupported), errors.As(err, &fetch), errors.As(err, &large):
		return err
	case in.url != nil:
		return &FetchError{URL: in.name, Err: err}
	}
	return fmt.Errorf("audio: open %s: %w", in.name, err)
}
