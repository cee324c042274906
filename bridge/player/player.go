package player

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"airplay2mqtt/audio"
)

const (
	// patience is how long the loop waits for a session's answer.
	patience = 3 * time.Second
	// fetchPatience is how long dialling and opening may take.
	fetchPatience = 30 * time.Second
	// livePatience is how long a live sound may be paused and still go on
	// where it was.
	livePatience = 10 * time.Second
	// inboxSize is how many commands may wait.
	inboxSize = 64
)

var (
	// ErrBusy is returned by Send if too many commands wait.
	ErrBusy = errors.New("player: too many commands are waiting")
	// ErrClosed answers commands of a player that has ended.
	ErrClosed = errors.New("player: ended")
	// ErrReplaced answers a Play that another command has overtaken: another
	// Play, Stop, Next, Previous or ClearQueue.
	ErrReplaced = errors.New("player: overtaken by another command")
	// ErrIdle answers Resume, PlayPause, Seek, Next and Previous where nothing
	// is playing.
	ErrIdle = errors.New("player: nothing is playing")
	// ErrExpired answers a Play that could not be heard before it expired.
	ErrExpired = errors.New("player: it is too late to play this")
	// ErrQueueFull answers a Play if too many wait: a thousand, or so few
	// with 64 MiB of data.
	ErrQueueFull = errors.New("player: the queue is full")
	// ErrTakenOver answers a Play whose receiver was taken by another sender.
	ErrTakenOver = errors.New("player: another sender took the speaker")
)

// A Config says where a player gets sessions and sound, and whom it tells.
type Config struct {
	// Name is what the state of others calls the player.
	Name string

	// Dial opens a session with the speaker, Open a sound. ctx bounds the
	// call, not what it returns. Both are called at once and
	// from goroutines of the player. If either sees its ctx end it returns
	// soon.
	//
	// A player without Dial is a group: it has no speaker of its own, and what
	// it plays is heard by its members (Lead, Join).
	Dial func(ctx context.Context) (Session, error)
	Open func(ctx context.Context, p Play) (audio.Track, error)
	// Film finds the film that a Play is for; nil: it is for a sound, which
	// Open opens then. It is called as Open is, for what Shows says may be one,
	// which must not wait. nil: the device shows no films.
	Film  func(ctx context.Context, p Play) (Film, error)
	Shows func(p Play) bool

	// Notify is told every state entered, Event what happens to playbacks,
	// Artwork the cover (as found, JPEG or PNG) of what is heard, empty when
	// there is none, and Queue all that waits, each time that changes, before
	// Notify. They are called by Run and must not block; nil: nobody is told.
	Notify  func(State)
	Event   func(Event)
	Artwork func(image []byte)
	Queue   func([]Item)
	// Explain turns an error into what a person can use. nil: the code
	// "internal" and the error's text.
	Explain func(error) Problem

	// HangUp is how long a session is kept after the last sound. 0: 10 s;
	// negative: until it is lost.
	HangUp time.Duration
	// Lead is how long after the command a sound begins, beside what dialling
	// and opening take. 0: 1 s.
	Lead time.Duration

	// MaxVolume is what nothing gets past. 0: 1.
	MaxVolume float64
	// Ceiling says what nothing gets past at some time, if that is less than
	// MaxVolume, and when it says something else, zero: never. What is louder
	// by then is turned down, and louder again when it may. nil: MaxVolume
	// alone counts.
	Ceiling func(at time.Time) (level float64, until time.Time)
	// Volume is what was set before, nil if nobody ever did: then the
	// receiver's own is left alone, and one that does not tell it gets
	// FirstVolume. 0: 0.3.
	Volume      *float64
	FirstVolume float64

	Announcements Announcements

	Logger zerolog.Logger // the zero value is silent
}

func (c Config) withDefaults() Config {
	if c.Notify == nil {
		c.Notify = func(State) {}
	}
	if c.Event == nil {
		c.Event = func(Event) {}
	}
	if c.Artwork == nil {
		c.Artwork = func([]byte) {}
	}
	if c.Queue == nil {
		c.Queue = func([]Item) {}
	}
	if c.Explain == nil {
		c.Explain = func(err error) Problem { return Problem{Code: "internal", Message: err.Error()} }
	}
	if c.HangUp == 0 {
		c.HangUp = 10 * time.Second
	}
	if c.Lead <= 0 {
		c.Lead = time.Second
	}
	if !(c.MaxVolume > 0 && c.MaxVolume <= 1) {
		c.MaxVolume = 1
	}
	if !(c.FirstVolume > 0 && c.FirstVolume <= 1) {
		c.FirstVolume = 0.3
	}
	c.Announcements = c.Announcements.withDefaults()
	return c
}

// A Player is one speaker's mind. Make one with New, and let it live with Run.
type Player struct {
	cfg      Config
	children sync.WaitGroup
	inbox    chan order

	line chan struct{} // holds one while there is a session, or one is dialled: receivers take one at a time

	closing sync.Mutex
	closed  bool // no more orders; guarded by closing

	mail mailbox

	counter counter

	// What follows belongs to the goroutine of Run.

	state, told State
	leaving     bool // nothing is begun any more
	program
	membership
	leadership
	watchers []*Player // who is told how loud we are
	desk
	raise
	screen
	show     *performance // of what is heard, and what follows it; nil: none yet
	paused   bool
	since    time.Time // of the pause
	dialing  *child[Session]
	session  Session       // a *mixer; nil: none
	warm     bool          // it was kept from before what is heard
	informed chan struct{} // closed when the receiver was told the last news; nil: there were none
	plays    int           // how many Plays there were
	artwork  bool          // some was told
	resuming func(error)   // who waits for a session, to resume; nil: nobody
	absent                 // of a session that is lost while something is heard
	prepared []func(error) // who waits for a session, to have one
	keep     time.Time     // until when a session is kept at least
	idle     alarm         // when to hang up
	look     alarm         // when to ask the session for its confidence
	retitle  alarm         // when a new title is heard
	crossing alarm         // when the next sound is heard
	ahead    alarm         // when to open the next sound
	expiry   alarm         // when somebody has waited for too long
	knob     knob
}

// An order is a command with who waits for it.
type order struct {
	command Command
	answer  func(error)
}

// New makes a player. It does nothing before Run.
func New(cfg Config) *Player {
	p := &Player{cfg: cfg.withDefaults(), inbox: make(chan order, inboxSize), line: make(chan struct{}, 1)}
	p.mail.came = make(chan struct{}, 1)
	p.state.Status, p.round = Idle, 1
	if v := cfg.Volume; v != nil && !math.IsNaN(*v) {
		p.knob.chosen = true
		p.state.Chosen, p.state.VolumeKnown = min(max(*v, 0), p.cfg.MaxVolume), true
		p.state.Volume = p.within(p.state.Chosen)
	}
	return p
}

// Send gives the player a command and never blocks. If it returns nil, answer
// is called once, by another goroutine and perhaps before Send returns: for
// Play when the first frame is heard, or with why it never was; for the
// others when they are done. It must not block, and may be nil. If Send
// returns an error, ErrBusy or ErrClosed, answer is not called.
func (p *Player) Send(c Command, answer func(error)) error {
	if answer == nil {
		answer = func(error) {}
	}
	p.closing.Lock()
	defer p.closing.Unlock()
	if p.closed {
		return ErrClosed
	}
	select {
	case p.inbox <- order{c, answer}:
		return nil
	default:
		return ErrBusy
	}
}

// Run obeys commands until ctx ends. It then falls silent, hangs up, answers
// all who wait, and returns the error of ctx.
func (p *Player) Run(ctx context.Context) error {
	// What is begun ends with quit, not with ctx: so that nothing fails for
	// having been told to end.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	p.watchCeiling()
	for {
		p.herald(life)
		p.prepare(life)
		p.offer(life)
		p.notify()
		select {
		case <-ctx.Done():
			p.quit(life, end)
			return ctx.Err()
		case o := <-p.inbox: // somebody wants something
			p.obey(life, o)
		case <-p.mail.came: // other players want something
			p.read(life)
		case <-p.muster.C(): // members of a group are late
			p.mustered(life)
		case <-p.deserted.C(): // or none of them is left
			p.givenUp()
		case <-p.dissolve.C(): // or they are needed no more
			p.disband(life)
		case <-p.redial.C(): // a speaker in a group may be back
			p.redial.off()
			if p.away {
				p.dial(life)
			}
		case r := <-p.dialing.ready(): // a session, or none
			p.dialled(life, r)
		case r := <-p.opening.ready(): // sound, or none
			p.opened(life, r)
		case r := <-p.raising.ready(): // a film, or none
			p.shown(life, r)
		case s, more := <-p.scenes(): // it is further, or over
			p.scene(life, s, more)
		case s := <-p.show.hears(): // the ear hears something else
			p.heard(life, s)
		case <-p.show.ends(): // a sound was read to its end
			p.follow(life)
		case <-p.crossing.C(): // and is heard to its end
			p.follow(life)
		case <-p.show.ended(): // all has been heard
			p.finished(life)
		case title := <-p.main.titles(): // a radio plays something else
			p.titled(title)
		case <-p.retitle.C(): // and now it is heard
			p.titleHeard(life)
		case <-p.ahead.C(): // what is playing will end soon
			p.ahead.off()
		case <-p.expiry.C(): // somebody has waited for too long
			p.expire(life)
		case r := <-p.fetching.ready(): // clips, or none
			p.made(r)
		case <-p.speaking.hears(): // an announcement is heard
			p.voiced()
		case <-p.speaking.ends(): // and is over
			p.spoken(life)
		case <-p.entry.C(): // it has waited for other players
			p.unite()
		case <-p.deadline.C(): // one has waited for too long
			p.forgo()
		case <-p.repay.C(): // a receiver is owed its volume
			p.payBack(life)
		case <-p.lost(): // the receiver hung up
			p.dropped(life)
		case err := <-p.show.forsaken(): // or takes no more packets
			p.suspect(life, err)
		case <-p.doubt.C(): // and nobody knows why
			p.condemn(life)
		case <-p.back.C(): // the sound is heard again
			p.returned()
		case <-p.knob.step.C(): // louder, or softer, by a step
			p.fade(life)
		case <-p.knob.curfew.C(): // louder is allowed, or less loud
			p.comply(life)
		case <-p.look.C(): // does the receiver follow?
			p.observe()
		case <-p.idle.C(): // nothing to do for a while
			p.hangUp()
		}
	}
}

// notify tells what waits, and the state, if they changed.
func (p *Player) notify() {
	if items, changed := p.news(); changed {
		p.cfg.Queue(items)
	}
	p.state.QueueLength = len(p.items)
	if s := p.public(); s != p.told {
		p.told = s
		p.cfg.Notify(s)
		p.reflect(s)
	}
}

// obey does what a command says, by what is true by now: a session that is
// over does nothing any more, and what has been heard is past. Who has the
// answer finds the state told.
func (p *Player) obey(ctx context.Context, o order) {
	if p.isLost() {
		p.dropped(ctx)
	}
	p.listen(ctx)
	p.follow(ctx)
	p.cfg.Logger.Debug().Str("command", fmt.Sprintf("%T", o.command)).Msg("obey")
	answer := func(err error) {
		p.notify()
		o.answer(err)
	}
	if p.postpone(o) || p.band(ctx, o, answer) {
		return
	}
	switch c := o.command.(type) {
	case Play:
		p.play(ctx, c, answer)
	case Announce:
		p.announce(ctx, c, nil, answer)
	case choral:
		p.announce(ctx, c.Announce, c.chair, answer)
	case Pause:
		p.calm(ctx, p.pause, answer)
	case Resume:
		p.resume(ctx, answer)
	case PlayPause:
		if p.main == nil || p.paused && p.resuming == nil && !p.interrupted {
			p.resume(ctx, answer)
			return
		}
		p.calm(ctx, p.pause, answer)
	case Stop:
		p.calm(ctx, func(ctx context.Context) error {
			p.onItsOwn(ctx)
			giveAll(p.end(ctx, Stopped), ErrReplaced)
			return nil
		}, answer)
	case Seek:
		answer(p.seek(ctx, c))
	case SetVolume:
		p.setVolume(ctx, c, answer)
	case Mute:
		answer(p.mute(ctx, c.To))
	case VolumeChanged:
		answer(p.turned(ctx, c.Level))
	case Wake:
		p.woken(ctx)
		answer(nil)
	case Tune:
		p.tune(ctx, c)
		answer(nil)
	case Prepare:
		p.warmUp(ctx, c, answer)
	default:
		answer(p.arrange(ctx, c))
	}
}

// arrange does what a command says about what comes next.
func (p *Player) arrange(ctx context.Context, c Command) error {
	switch c := c.(type) {
	case Next:
		return p.next(ctx)
	case Previous:
		return p.previous(ctx)
	case ClearQueue:
		gone := p.empty()
		p.notify()
		giveAll(gone, ErrReplaced)
		return nil
	case SetRepeat:
		return p.setRepeat(c.To)
	case Hush:
		p.hush(ctx)
		return nil
	case Restore:
		return p.restore(ctx, c.Level)
	default:
		return fmt.Errorf("player: unknown command %T", c)
	}
}

// quit falls silent, hangs up and ends life.
func (p *Player) quit(life context.Context, end func()) {
	ctx, cancel := context.WithTimeout(life, patience)
	defer cancel()
	p.leaving = true
	hushed, late := p.silence(ctx)
	p.excuse(ctx)
	gone := p.end(ctx, Stopped)
	p.disband(ctx)
	giveAll(gone, ErrClosed)
	p.give(hushed, ErrClosed)
	for _, o := range late {
		o.answer(ErrClosed)
	}
	p.knob.answer(ErrClosed)
	p.warmed(ErrClosed)
	p.hangUp()
	p.notify()

	p.closing.Lock()
	p.closed = true
	p.closing.Unlock()
	for len(p.inbox) > 0 {
		(<-p.inbox).answer(ErrClosed)
	}
	for _, l := range p.mail.close() {
		l(life)
	}
	end()
	p.await()
}

// await waits for what the player has started, but not for ever: a session
// that does not close must not keep the house from being left.
func (p *Player) await() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.children.Wait()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		p.cfg.Logger.Warn().Msg("left a session behind that does not close")
	}
}

// lost is closed when the session is over.
func (p *Player) lost() <-chan struct{} {
	if p.session == nil {
		return nil
	}
	return p.session.Done()
}

// isLost tells whether the session is over.
func (p *Player) isLost() bool {
	select {
	case <-p.lost():
		return true
	default:
		return false
	}
}

// An alarm is a timer that is off until it is set.
type alarm struct{ timer *time.Timer }

// C is nil while the alarm is off.
func (a *alarm) C() <-chan time.Time {
	if a.timer == nil {
		return nil
	}
	return a.timer.C
}

func (a *alarm) set(d time.Duration) {
	a.off()
	a.timer = time.NewTimer(d)
}

func (a *alarm) off() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.timer = nil
}
