package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// unplayed is how long a file is kept that nobody plays.
	unplayed = 2 * time.Minute
	// played is how long it is kept when nobody plays it any more.
	played = 10 * time.Second
	// maxUploads is how many files come at once, maxFiles how many there are.
	maxUploads, maxFiles = 4, 32
	// stalls is how long a browser may send nothing of a file.
	stalls = 30 * time.Second
)

var (
	errFull = errors.New("too much lies here already; wait until it has been played")
	errBusy = errors.New("too many files come at once; wait until one of them is here")
)

// A shelf holds files that were sent to be played once, in a folder of its own.
// A file goes when it has been played: when no device's state and queue name it
// any more.
type shelf struct {
	folder string
	most   int64
	log    zerolog.Logger
	coming chan struct{} // holds a token for each upload under way

	mu    sync.Mutex
	root  *os.Root // nil: nothing can be taken
	size  int64    // of all files, those that are coming included
	files map[string]*upload
}

// An upload is one file.
type upload struct {
	size   int64
	named  map[string]bool // the topics that name it now
	leaves time.Time       // when it goes, unless something names it
	coming bool
}

func newShelf(folder string, most int64, log zerolog.Logger) *shelf {
	return &shelf{folder: folder, most: most, log: log, coming: make(chan struct{}, maxUploads), files: map[string]*upload{}}
}

// open makes the folder, and empties it of what an earlier run has left.
func (s *shelf) open() error {
	if s.folder == "" {
		return errors.New("no folder is configured")
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			err = errors.Join(err, os.Remove(filepath.Join(s.folder, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.folder)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root = root
	return nil
}

// run takes away what has been played until ctx ends, and then everything.
func (s *shelf) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sweep(time.Now())
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			for name := range s.files {
				s.remove(name)
			}
			if s.root != nil {
				s.root.Close()
				s.root = nil
			}
			return
		}
	}
}

func (s *shelf) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.files {
		if !f.coming && len(f.named) == 0 && now.After(f.leaves) {
			s.remove(name)
		}
	}
}

// remove wants mu held.
func (s *shelf) remove(name string) {
	s.size -= s.files[name].size
	delete(s.files, name)
	if s.root == nil {
		return
	}
	if err := s.root.Remove(name); err != nil {
		s.log.Warn().Err(err).Msg("a file that was played once is not removed")
	}
}

// note takes down which files a state or a queue names.
func (s *shelf) note(topic string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.files {
		switch names := bytes.Contains(payload, []byte(name)); {
		case names:
			f.named[topic] = true
		case f.named[topic]:
			delete(f.named, topic)
			f.leaves = time.Now().Add(played)
		}
	}
}

var ending = regexp.MustCompile(`^\.[a-z0-9]{1,5}$`)

// take makes a file. Its name is ours, and only what it ends with is from the
// one that it had.
func (s *shelf) take(called string) (file *os.File, name string, err error) {
	name = rand.Text()
	if end := strings.ToLower(filepath.Ext(called)); ending.MatchString(end) {
		name += end
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.root == nil:
		return nil, "", errors.New("files cannot be written; the log says why")
	case len(s.files) >= maxFiles:
		return nil, "", errFull
	}
	if file, err = s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, "", err
	}
	s.files[name] = &upload{coming: true, named: map[string]bool{}}
	return file, name, nil
}

// grow takes n more bytes of a file, if there is room for them.
func (s *shelf) grow(name string, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[name]
	if f == nil || s.size+n > s.most {
		return false
	}
	s.size += n
	f.size += n
	return true
}

// arrived keeps a file that is there, or takes it away.
func (s *shelf) arrived(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[name]
	switch {
	case f == nil:
	case err != nil:
		s.remove(name)
	default:
		f.coming, f.leaves = false, time.Now().Add(unplayed)
	}
}

// receive writes what comes into a new file and returns its name. coming is
// called before each read.
func (s *shelf) receive(called string, body io.Reader, coming func() error) (name string, err error) {
	select {
	case s.coming <- struct{}{}:
		defer func() { <-s.coming }()
	default:
		return "", errBusy
	}
	file, ours, err := s.take(called)
	if err != nil {
		return "", err
	}
	defer func() { s.arrived(ours, err) }()
	defer func() { err = errors.Join(err, file.Close()) }()
	part := make([]byte, 64<<10)
	for {
		if err := coming(); err != nil {
			return "", err
		}
		n, err := body.Read(part)
		if n > 0 && !s.grow(ours, int64(n)) {
			return "", errFull
		}
		if _, err := file.Write(part[:n]); err != nil {
			return "", err
		}
		if errors.Is(err, io.EOF) {
			return ours, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// upload takes a file that is to be played once. The answer says what to play.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > s.cfg.MaxUpload {
		refuse(w, http.StatusRequestEntityTooLarge, "the file has %d bytes; %d are allowed (media.max_download)", r.ContentLength, s.cfg.MaxUpload)
		return
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Time{})
	name, err := s.shelf.receive(r.URL.Query().Get("name"), r.Body, func() error {
		return c.SetReadDeadline(time.Now().Add(stalls))
	})
	switch {
	case errors.Is(err, errBusy):
		refuse(w, http.StatusTooManyRequests, "%v", err)
	case errors.Is(err, errFull):
		refuse(w, http.StatusInsufficientStorage, "%v (media.max_download is %d bytes)", err, s.cfg.MaxUpload)
	case err != nil:
		s.log.Warn().Err(err).Msg("an upload ended early")
		refuse(w, http.StatusInternalServerError, "the file could not be taken: %v", err)
	default:
		_ = c.SetReadDeadline(time.Time{})
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "{\"path\":%q}\n", name)
	}
}
