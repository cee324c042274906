package voice

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/rs/zerolog"
)

// A Text is what is to be spoken.
type Text struct {
	Message  string // one line; see [Clean]
	Language string // such as de or en-GB; empty: the voice's own
	Voice    string // one of the voice's own names; empty: its usual one
}

// A Voice makes a sound of a text: the bytes of a file. It must come back soon
// after ctx has ended, and may be asked from several goroutines at once.
type Voice interface {
	Speak(ctx context.Context, t Text) ([]byte, error)
}

// Config says who speaks.
type Config struct {
	// Voices are asked in this order, until one speaks.
	Voices []Voice
	// Timeout is how long each of them may take. Zero: 12 s.
	Timeout time.Duration
	// Keep is how long a sound is remembered. Zero: it is not.
	Keep time.Duration
	// Bytes is how much is remembered. Zero: 16 MiB.
	Bytes int
	// Logger hears of voices that do not speak. The zero value is silent.
	Logger zerolog.Logger
}

// An Error says why no voice speaks.
type Error struct{ Err error }

func (e *Error) Error() string { return "voice: " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// errNobody is for a speaker without voices.
var errNobody = errors.New("no voice is configured")

// A Speaker has texts spoken. Of those who ask for the same at once, one waits
// for the voice and all get what it made.
type Speaker struct {
	cfg    Config
	living context.Context
	end    context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	known map[Text]*list.Element // of *speech
	order list.List              // the one used last in front
	bytes int
}

// A speech is a text that was spoken, or is being spoken.
type speech struct {
	text      Text
	done      chan struct{} // closed when the rest is there
	sound     []byte
	err       error
	until     time.Time // when it is forgotten
	listeners int       // who wait; guarded by Speaker.mu
	cancel    context.CancelFunc
}

// New makes a speaker.
func New(cfg Config) *Speaker {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 12 * time.Second
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = 16 << 20
	}
	s := &Speaker{cfg: cfg, known: map[Text]*list.Element{}}
	s.living, s.end = context.WithCancel(context.Background())
	return s
}

// Close ends what is being spoken, and waits for it.
func (s *Speaker) Close() {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.work.Wait()
}

// Speak returns the bytes of a sound file, which must not be changed. What goes
// wrong with the voices is an [*Error].
func (s *Speaker) Speak(ctx context.Context, t Text) ([]byte, error) {
	sp := s.listen(t)
	defer s.leave(sp)
	select {
	case <-sp.done:
		if sp.err != nil {
			return nil, &Error{sp.err}
		}
		return sp.sound, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("voice: %w", ctx.Err())
	}
}

// listen finds what was made of a text, or has it made.
func (s *Speaker) listen(t Text) *speech {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.known[t]; e != nil {
		sp := e.Value.(*speech)
		if sp.until.IsZero() || time.Now().Before(sp.until) {
			s.order.MoveToFront(e)
			sp.listeners++
			return sp
		}
		s.forget(sp)
	}
	sp := &speech{text: t, done: make(chan struct{}), listeners: 1}
	if s.living.Err() != nil {
		sp.err, sp.cancel = context.Canceled, func() {}
		close(sp.done)
		return sp
	}
	s.known[t] = s.order.PushFront(sp)
	var ctx context.Context
	ctx, sp.cancel = context.WithCancel(s.living)
	s.work.Go(func() {
		defer sp.cancel()
		sound, err := s.ask(ctx, t)
		s.finish(sp, sound, err)
	})
	return sp
}

// leave is called by each who has listened. When nobody waits any more, nothing
// needs to be spoken.
func (s *Speaker) leave(sp *speech) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp.listeners--; sp.listeners > 0 {
		return
	}
	select {
	case <-sp.done:
	default:
		sp.cancel()
		s.forget(sp)
	}
}

// ask asks the voices, in turn.
func (s *Speaker) ask(ctx context.Context, t Text) ([]byte, error) {
	if len(s.cfg.Voices) == 0 {
		return nil, errNobody
	}
	var all []error
	for i, v := range s.cfg.Voices {
		sound, err := s.askOne(ctx, v, t)
		if err == nil || ctx.Err() != nil {
			return sound, err
		}
		if all = append(all, err); i+1 < len(s.cfg.Voices) {
			s.cfg.Logger.Warn().Err(err).Msg("a voice does not speak; the next one is asked")
		}
	}
	if len(all) == 1 {
		return nil, all[0]
	}
	words := make([]string, len(all))
	for i, err := range all {
		words[i] = err.Error()
	}
	return nil, &severalError{strings.Join(words, "; and "), all}
}

// A severalError is what all voices said, on one line.
type severalError struct {
	words string
	all   []error
}

func (e *severalError) Error() string   { return e.words }
func (e *severalError) Unwrap() []error { return e.all }

func (s *Speaker) askOne(ctx context.Context, v Voice, t Text) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	sound, err := v.Speak(ctx, t)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil:
		return nil, fmt.Errorf("it took longer than %v (tts.timeout): %w", s.cfg.Timeout, err)
	case err == nil && len(sound) == 0:
		return nil, errors.New("the voice gave no sound")
	}
	return sound, err
}

// finish hands on what was made, and keeps it.
func (s *Speaker) finish(sp *speech, sound []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp.sound, sp.err = sound, err
	close(sp.done)
	if err != nil || s.cfg.Keep <= 0 || len(sound) > s.cfg.Bytes {
		s.forget(sp)
		return
	}
	if s.known[sp.text] == nil || s.known[sp.text].Value != sp {
		return // everybody had left
	}
	sp.until = time.Now().Add(s.cfg.Keep)
	s.bytes += len(sound)
	for e := s.order.Back(); e != nil && s.bytes > s.cfg.Bytes; {
		before := e.Prev()
		if old := e.Value.(*speech); !old.until.IsZero() {
			s.forget(old)
		}
		e = before
	}
}

// forget wants mu held.
func (s *Speaker) forget(sp *speech) {
	e := s.known[sp.text]
	if e == nil || e.Value != sp {
		return
	}
	delete(s.known, sp.text)
	s.order.Remove(e)
	if !sp.until.IsZero() {
		s.bytes -= len(sp.sound)
	}
}

// Clean makes of a text one line without what cannot be spoken, as voices want
// it: some read no further than the first line.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}
