package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"airplay2mqtt/audio/aiff"
	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/audio/flac"
	"airplay2mqtt/audio/mp3"
	"airplay2mqtt/audio/ogg"
	"airplay2mqtt/audio/tags"
	"airplay2mqtt/audio/wav"
)

// A decoder is what the packages for the formats have in common. If it reads
// an io.Seeker, SeekFrame works.
type decoder interface {
	Rate() int
	Channels() int
	Bits() int
	Codec() string
	Len() int64
	Read(p []Frame) (int, error)
	SeekFrame(n int64) error
	Seekable() bool
	Tags() tags.Tags
	Close() error
}

// newDecoder makes the decoder for a kind of sound. One that breaks down over
// what it is given is an error like others.
func newDecoder(k kind, r io.Reader) (d decoder, err error) {
	defer recovered(&err)
	switch k {
	case waveFile:
		return made(wav.NewDecoder(r))
	case mp3File:
		return made(mp3.NewDecoder(r))
	case flacFile:
		return made(flac.NewDecoder(r))
	case aiffFile:
		return made(aiff.NewDecoder(r))
	case oggFile:
		return made(ogg.NewDecoder(r))
	}
	return nil, fmt.Errorf("audio: no decoder for %v", k)
}

// made turns a nil pointer into a nil decoder.
func made[D decoder](d D, err error) (decoder, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// decoded is the source that an input is once it is decoded, at its own rate.
type decoded struct {
	in       *input
	tags     Tags
	format   Format
	kind     kind
	seekable atomic.Bool
	awaited  atomic.Pointer[spool] // once it is whole, it can be told whether this is seekable
	len      atomic.Int64

	remake func() (decoder, error)
	hangUp func() error // ends a Read at once; nil: closing the input does

	mu      sync.Mutex // a Close that waits for a Read
	d       decoder    // nil: closed
	link    int        // which of several sounds in a row, where the decoder tells
	changed bool       // the next one has another rate
}

// A linked decoder reads sounds that stand one behind the other, as the songs
// of a radio do, and returns ogg.ErrRateChanged before one of another rate.
type linked interface {
	Link() int
	Next()
}

// newDecoded finds the decoder for an input. ctx bounds that.
func (o *Opener) newDecoded(ctx context.Context, in *input, found finding) (*decoded, error) {
	k := found.kind
	switch {
	case k == tagged && in.called("flac"):
		k = flacFile
	case k == tagged:
		k = mp3File
	}
	if k != mp3File && found.skip > 0 {
		if err := in.skip(found.skip); err != nil {
			return nil, err
		}
	}
	s := &decoded{in: in, kind: k}
	if err := s.make(ctx, o, found); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		s.d.Close()
		return nil, err
	}
	return s, nil
}

// make makes the decoder, or has ffmpeg be it, if that is needed.
func (s *decoded) make(ctx context.Context, o *Opener, found finding) (err error) {
	if s.kind == foreign {
		return s.invite(ctx, o, found)
	}
	k := s.kind
	s.remake = func() (decoder, error) { return newDecoder(k, s.in.reader()) }
	if s.d, err = s.remake(); err == nil {
		return nil
	}
	undecodable := s.in.undecodable(k, err)
	if undecodable.advice == convert && s.in.seeker != nil && s.in.rewind() == nil {
		return s.invite(ctx, o, finding{what: undecodable.what, advice: convert})
	}
	return undecodable
}

// invite has ffmpeg decode what was found.
func (s *decoded) invite(ctx context.Context, o *Opener, found finding) (err error) {
	s.kind = foreign
	s.remake = func() (decoder, error) {
		return made(ffmpeg.NewDecoder(ctx, s.in.reader(), ffmpeg.Config{Path: o.FFmpeg, Timeout: o.Timeout}))
	}
	s.d, err = s.remake()
	ctx = context.WithoutCancel(ctx) // for one that is made when the sound is sought
	switch {
	case errors.Is(err, ffmpeg.ErrNotInstalled):
		return &unsupportedError{name: s.in.name, what: found.what, advice: "install ffmpeg, which would decode it, or " + convert}
	case errors.Is(err, ffmpeg.ErrFormat):
		return &unsupportedError{name: s.in.name, what: found.what, advice: found.advice, err: err}
	}
	return err
}

// begin takes over what the decoder tells.
func (s *decoded) begin() error {
	d, in := s.d, s.in
	if !usual(d.Rate()) {
		return &unsupportedError{name: in.name, what: fmt.Sprintf("a sound of %d frames a second", d.Rate())}
	}
	s.seekable.Store(d.Seekable() || s.promising())
	s.len.Store(d.Len())
	s.format = Format{
		Container: s.kind.String(), Codec: d.Codec(),
		Rate: d.Rate(), Bits: d.Bits(), Channels: d.Channels(),
	}
	if guest, ok := d.(*ffmpeg.Decoder); ok {
		s.format.Container, s.hangUp = guest.Container(), guest.Close
	}
	s.tags = in.describe(d.Tags())
	if _, ok := d.(linked); ok && in.titles == nil {
		in.titles = newTitles()
	}
	if s.tags.Duration == 0 && d.Len() > 0 && !in.live {
		s.tags.Duration = duration(d.Len(), d.Rate())
	}
	return nil
}

// called tells whether the name or the server says that it is of a format.
func (in *input) called(format string) bool {
	return strings.HasSuffix(strings.ToLower(in.name), "."+format) || strings.Contains(strings.ToLower(in.mime), format)
}

// undecodable says what a decoder's refusal means.
func (in *input) undecodable(k kind, err error) *unsupportedError {
	e := &unsupportedError{name: in.name, err: err}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, flac.ErrUnsupported) {
		e.what, e.advice = fmt.Sprintf("a %v file of a kind that is not decoded", k), convert
		return e
	}
	e.what = fmt.Sprintf("looks like a %v file, but is damaged", k)
	return e
}

// skip passes over what stands in front of the sound.
func (in *input) skip(n int64) error {
	in.begin += n
	if in.seeker == nil {
		_, err := io.CopyN(io.Discard, in, n)
		return err
	}
	return in.rewind()
}

// describe adds what the server said to what the sound says of itself.
func (in *input) describe(t Tags) Tags {
	if t.Title == "" {
		t.Title = in.said.Title
	}
	if t.Album == "" {
		t.Album = in.said.Album
	}
	if t.Genre == "" {
		t.Genre = in.said.Genre
	}
	if in.live {
		t.Duration = 0
	}
	t.Duration = max(t.Duration, 0)
	return t
}

// promising tells whether a decoder that is made later can seek. That cannot be
// said of Ogg before its last page has been seen, with which another sound of
// another rate may end.
func (s *decoded) promising() bool {
	if s.in.again == nil || s.kind != oggFile {
		return s.in.again != nil
	}
	v, ok := s.in.again.(*spoolView)
	if ok && !v.spool.whole() {
		s.awaited.Store(v.spool)
		return false
	}
	return ok && seekableOgg(v.spool) || !ok && oneLink(s.in.again)
}

// seekableOgg tells whether Ogg that is here can be sought.
func seekableOgg(s *spool) bool {
	d, err := newDecoder(oggFile, &spoolView{spool: s})
	if err != nil {
		return false
	}
	defer d.Close()
	return d.Seekable()
}

// Seekable may change, where only the end of a download tells.
func (s *decoded) Seekable() bool {
	if w := s.awaited.Load(); w != nil && w.whole() && s.awaited.CompareAndSwap(w, nil) {
		s.seekable.Store(seekableOgg(w))
	}
	return s.seekable.Load()
}

func (s *decoded) Rate() int  { return s.format.Rate }
func (s *decoded) Len() int64 { return s.len.Load() }

// Read tells why the input ended, which the decoder may have taken for the end
// of the sound.
func (s *decoded) Read(p []Frame) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d == nil {
		return 0, errClosed
	}
	n, err := s.d.Read(p)
	if l, ok := s.d.(linked); ok && n > 0 && l.Link() != s.link {
		s.link = l.Link()
		s.in.titles.say(headline(s.d.Tags()))
	}
	switch {
	case errors.Is(err, ogg.ErrRateChanged):
		s.changed, err = true, io.EOF
		s.seekable.Store(false) // frames of other rates cannot be numbered
	case err != nil && s.in.failed() != nil:
		err = s.in.failed()
	}
	return n, err
}

// headline is the one line that stands for a song.
func headline(t Tags) string {
	if t.Artist == "" || t.Title == "" {
		return t.Artist + t.Title
	}
	return t.Artist + " - " + t.Title
}

// next goes on where Read ended, if that was not the end, and tells the rate.
func (s *decoded) next() (rate int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed || s.d == nil {
		return 0, false
	}
	s.changed = false
	s.d.(linked).Next()
	return s.d.Rate(), true
}

func (s *decoded) SeekFrame(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d == nil {
		return errClosed
	}
	if err := s.reopen(); err != nil {
		return fmt.Errorf("audio: seek: %w", err)
	}
	s.changed = false
	if err := s.d.SeekFrame(n); err != nil {
		return fmt.Errorf("audio: seek: %w", err)
	}
	return nil
}

// reopen makes a decoder that seeks, if this one does not and another could.
func (s *decoded) reopen() error {
	if s.in.again == nil {
		return nil
	}
	if err := s.in.repeat(); err != nil {
		return err
	}
	d, err := s.remake()
	if err != nil {
		return err
	}
	if !d.Seekable() {
		d.Close()
		s.seekable.Store(false)
		return ErrNotSeekable
	}
	s.d.Close()
	s.d = d
	s.len.Store(d.Len())
	return nil
}

// Close closes the input, which ends a Read, waits for that, and then frees
// the decoder.
func (s *decoded) Close() error {
	err := s.in.Close()
	if s.hangUp != nil {
		s.hangUp()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d != nil {
		s.d.Close()
		s.d = nil
	}
	return err
}
