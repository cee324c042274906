package mediaserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A StreamConfig says how a Stream is kept. Its zero value works.
type StreamConfig struct {
	// Folder is where what was made is kept, in a file without a name that is
	// gone with the stream, however that ends. Empty: os.TempDir.
	Folder string
	// Most is how many bytes that may be; the stream ends there. Zero: 8 GiB.
	Most int64
}

const (
	streamMost = 8 << 30
	// pieceLeast is how long a piece is at least, and target what the playlist
	// says that it is at most.
	pieceLeast = 4 * time.Second
	target     = 10 * time.Second
	// startPatience is how long a player waits for the first pieces.
	startPatience = 30 * time.Second
	// startPieces are enough for a player to begin.
	startPieces = 2
	piecesMost  = 100_000
)

// A Stream serves as HLS what is made while it is played: fragmented MP4, such
// as a converter writes. Its pieces stay, so that a player can go back; it can
// go as far forward as has been made.
type Stream struct {
	reader io.ReadCloser
	file   *os.File
	most   int64
	done   chan struct{} // the writer is gone

	mu      sync.Mutex
	header  []byte
	track   track
	pieces  []piece
	size    int64
	over    bool
	err     error
	changed chan struct{} // closed when there is more
}

// A piece is where it lies in the file, and how long it lasts.
type piece struct {
	at, size int64
	lasts    time.Duration
}

// NewStream takes over what r reads, and reads it in a goroutine that ends with
// it, or with Close.
func NewStream(r io.ReadCloser, cfg StreamConfig) (*Stream, error) {
	file, err := os.CreateTemp(cfg.Folder, "airplay2mqtt-*.film")
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("mediaserver: %w", err)
	}
	os.Remove(file.Name()) // it lasts as long as it is open
	s := &Stream{reader: r, file: file, most: cfg.Most, done: make(chan struct{}), changed: make(chan struct{})}
	if s.most <= 0 {
		s.most = streamMost
	}
	go s.write()
	return s, nil
}

// write takes pieces as they come.
func (s *Stream) write() {
	defer close(s.done)
	err := s.take()
	if err == io.EOF {
		err = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && len(s.pieces) > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // what there is can be played
	}
	s.over, s.err = true, err
	s.wake()
}

func (s *Stream) take() error {
	f, err := newFragments(s.reader)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.header, s.track = f.header, f.track
	s.mu.Unlock()
	next := piece{}
	for {
		b, lasts, err := f.read()
		if err != nil {
			s.add(next)
			return err
		}
		if s.size+next.size+int64(len(b)) > s.most || len(s.pieces) == piecesMost {
			s.add(next)
			return fmt.Errorf("mediaserver: the film has more than %d MiB", s.most>>20)
		}
		if _, err := s.file.WriteAt(b, next.at+next.size); err != nil {
			return fmt.Errorf("mediaserver: keep: %w", err)
		}
		s.mu.Lock()
		s.track = f.track
		s.mu.Unlock()
		next.size += int64(len(b))
		if next.lasts += lasts; next.lasts >= pieceLeast {
			s.add(next)
			next = piece{at: next.at + next.size}
		}
	}
}

func (s *Stream) add(p piece) {
	if p.size == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pieces = append(s.pieces, p)
	s.size = p.at + p.size
	s.wake()
}

// wake wants mu held.
func (s *Stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Ready waits until a player can begin: for the first pieces, or the end. The
// error is why there will be none.
func (s *Stream) Ready(ctx context.Context) error {
	for {
		s.mu.Lock()
		n, over, err, changed := len(s.pieces), s.over, s.err, s.changed
		s.mu.Unlock()
		switch {
		case n >= startPieces, over && n > 0:
			return nil
		case over && err != nil:
			return err
		case over:
			return errors.New("mediaserver: there is nothing in the film")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("mediaserver: the film is not converted in time: %w", ctx.Err())
		}
	}
}

// Name is that of the list of its only variant.
func (s *Stream) Name() string { return "film.m3u8" }

// Serve gives playlists, the header, and pieces.
func (s *Stream) Serve(w http.ResponseWriter, r *http.Request, name string) error {
	switch name {
	case "film.m3u8", "pieces.m3u8":
		return s.servePlaylist(w, r, name)
	case "head.mp4":
		s.mu.Lock()
		header := s.header
		s.mu.Unlock()
		return serveBytes(w, r, "video/mp4", strings.NewReader(string(header)))
	}
	number, ok := strings.CutSuffix(name, ".m4s")
	n, err := strconv.Atoi(number)
	s.mu.Lock()
	if !ok || err != nil || n < 0 || n >= len(s.pieces) || strconv.Itoa(n) != number {
		s.mu.Unlock()
		return ErrNoSuchName
	}
	p := s.pieces[n]
	s.mu.Unlock()
	return serveBytes(w, r, "video/iso.segment", io.NewSectionReader(s.file, p.at, p.size))
}

func serveBytes(w http.ResponseWriter, r *http.Request, mime string, b io.ReadSeeker) error {
	w.Header().Set("Content-Type", mime)
	http.ServeContent(w, r, "", time.Time{}, b)
	return nil
}

func (s *Stream) servePlaylist(w http.ResponseWriter, r *http.Request, name string) error {
	ctx, cancel := context.WithTimeout(r.Context(), startPatience)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		http.Error(w, "the film is not there", http.StatusServiceUnavailable)
		return err
	}
	s.mu.Lock()
	text := s.master()
	if name == "pieces.m3u8" {
		text = s.list()
	}
	err := s.err
	s.mu.Unlock()
	w.Header().Set("Cache-Control", "no-cache")
	serveBytes(w, r, "application/vnd.apple.mpegurl", strings.NewReader(text))
	return err
}

// master wants mu held. Players want to know codecs and sizes; some show no
// pictures without the rate of the frames.
func (s *Stream) master() string {
	attributes := []string{"BANDWIDTH=" + strconv.Itoa(s.bandwidth())}
	if len(s.track.codecs) > 0 && !slices.Contains(s.track.codecs, "") {
		attributes = append(attributes, `CODECS="`+strings.Join(s.track.codecs, ",")+`"`)
	}
	if s.track.width > 0 && s.track.height > 0 {
		attributes = append(attributes, fmt.Sprintf("RESOLUTION=%dx%d", s.track.width, s.track.height))
	}
	if s.track.frames > 0 {
		attributes = append(attributes, fmt.Sprintf("FRAME-RATE=%.3f", s.track.frames))
	}
	return "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:" + strings.Join(attributes, ",") + "\npieces.m3u8\n"
}

// bandwidth is the most bits per second of a piece, so far.
func (s *Stream) bandwidth() int {
	most := 100_000.0
	for _, p := range s.pieces {
		if p.lasts > 0 {
			most = math.Max(most, float64(8*p.size)/p.lasts.Seconds())
		}
	}
	return int(most)
}

// list wants mu held.
func (s *Stream) list() string {
	longest := target
	for _, p := range s.pieces {
		longest = max(longest, p.lasts)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n", int(math.Ceil(longest.Seconds())))
	fmt.Fprint(&b, "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n#EXT-X-MAP:URI=\"head.mp4\"\n")
	for i, p := range s.pieces {
		fmt.Fprintf(&b, "#EXTINF:%.5f,\n%d.m4s\n", p.lasts.Seconds(), i)
	}
	if s.over {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.String()
}

// Close ends the converter and waits for what reads from it.
func (s *Stream) Close() error {
	err := s.reader.Close()
	<-s.done
	return errors.Join(err, s.file.Close())
}
