package mediaserver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"airplay2mqtt/airplay/film"
)

// ErrChanged is what is wrong with a file that is not any more what it was when
// it was opened.
var ErrChanged = errors.New("the file has changed while it was played")

// A File serves a film from an open file. One that is removed meanwhile is
// still played; of one that grows, what was there is; one that shrinks or is
// written to in place is not played any more (ErrChanged).
type File struct {
	file *os.File
	size int64
	time time.Time
	tag  string
	film film.Film
}

// OpenFile takes an open file over.
func OpenFile(f *os.File) (*File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("mediaserver: %w", err)
	}
	made, err := film.Probe(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("mediaserver: read: %w", err)
	}
	tag := fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
	return &File{file: f, size: info.Size(), time: info.ModTime(), tag: tag, film: made}, nil
}

// Film is what is in the file.
func (f *File) Film() film.Film { return f.film }

// Name says what kind of film it is, and nothing else.
func (f *File) Name() string { return "film" + f.film.Ending }

// Serve gives the file, or parts of it.
func (f *File) Serve(w http.ResponseWriter, r *http.Request, name string) error {
	if name != f.Name() {
		return ErrNoSuchName
	}
	if err := f.unchanged(); err != nil {
		http.Error(w, err.Error(), http.StatusGone)
		return err
	}
	w.Header().Set("Content-Type", cmp.Or(f.film.Type, "application/octet-stream"))
	w.Header().Set("ETag", f.tag)
	body := &noting{ReadSeeker: io.NewSectionReader(f.file, 0, f.size)}
	http.ServeContent(w, r, "", f.time, body)
	if body.err != nil {
		return fmt.Errorf("mediaserver: read: %w", body.err)
	}
	return f.unchanged()
}

func (f *File) unchanged() error {
	info, err := f.file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("mediaserver: %w", err)
	case info.Size() < f.size, info.Size() == f.size && !info.ModTime().Equal(f.time):
		return fmt.Errorf("mediaserver: %w", ErrChanged)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// A noting reader keeps the error that it met. It is no *os.File any more, so
// that nothing reads past it.
type noting struct {
	io.ReadSeeker
	err error
}

func (n *noting) Read(p []byte) (int, error) {
	k, err := n.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return k, err
}
