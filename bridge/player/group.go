package player

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Join makes the player a member of a leader's group: what the leader plays is
// heard here as well, in step, until Unjoin, or a Play or Stop of its own.
type Join struct{ Leader *Player }

// Unjoin leaves the group that was joined, or that is playing here. The others
// go on. A player that others have joined sends them away.
type Unjoin struct{}

// Lead says who the members of a group are from now on. Who is none any more
// falls silent, who is new joins what is playing.
type Lead struct{ Members []*Player }

func (Join) command()   {}
func (Unjoin) command() {}
func (Lead) command()   {}

var (
	// ErrNobody answers what is asked of a group without members.
	ErrNobody = errors.New("player: the group has no members")
	// ErrLate is why a member did not hear the beginning: it comes later.
	ErrLate = errors.New("player: it was not ready in time and joins later")
	// ErrSelf answers a Join or Lead of a player with itself.
	ErrSelf = errors.New("player: a group cannot have itself as a member")
	// ErrFollows answers a Join whose leader would be a member of another group.
	ErrFollows = errors.New("player: a leader cannot be a member of another group; unjoin it first")
	// errNoGroup answers what only a speaker can do.
	errNoGroup = errors.New("player: a group is no speaker of its own")
)

// An AbsentError answers a command to a group that some of its members did not
// obey. The others did.
type AbsentError struct{ Members []Absence }

// An Absence is why a member did not obey.
type Absence struct {
	Name string
	Err  error
}

func (e *AbsentError) Error() string {
	var b strings.Builder
	b.WriteString("player: not all members of the group did it")
	for i, m := range e.Members {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		fmt.Fprintf(&b, "%s: %v", m.Name, m.Err)
	}
	return b.String()
}

func (e *AbsentError) Unwrap() []error {
	errs := make([]error, len(e.Members))
	for i, m := range e.Members {
		errs[i] = m.Err
	}
	return errs
}

// allBut makes an error of those who did not obey; nil: all did.
func allBut(missing []Absence) error {
	if len(missing) == 0 {
		return nil
	}
	slices.SortFunc(missing, func(a, b Absence) int { return strings.Compare(a.Name, b.Name) })
	return &AbsentError{missing}
}

// An invitation is that a leader calls a member to hear what it plays. It holds
// until one of them has had enough.
type invitation struct{ leader, member *Player }

// conducts tells whether the player is a group without a speaker of its own.
func (p *Player) conducts() bool { return p.cfg.Dial == nil }

// band does what a command says about groups. It tells whether it was one.
func (p *Player) band(ctx context.Context, o order, answer func(error)) bool {
	switch c := o.command.(type) {
	case Join:
		p.join(c.Leader, o.answer)
	case Unjoin:
		p.unjoin(ctx)
		answer(nil)
	case Lead:
		answer(p.appoint(ctx, c.Members))
	case Pause, Resume, PlayPause, Seek, Next, Previous, ClearQueue, SetRepeat:
		return p.forward(ctx, o)
	case SetVolume, Prepare, Hush:
		if !p.conducts() {
			return false
		}
		p.deal(o.answer, each(o.command))
	case Announce:
		if !p.conducts() {
			return false
		}
		p.sing(ctx, c, o.answer)
	case Mute:
		if !p.conducts() {
			return false
		}
		if c.To == MuteToggle {
			c.To = MuteOn
			if p.told.Muted {
				c.To = MuteOff
			}
		}
		p.deal(o.answer, each(c))
	case VolumeChanged, Restore:
		if !p.conducts() {
			return false
		}
		answer(errNoGroup)
	default:
		return false
	}
	return true
}

// deal has every member obey a command, and answers once, when all have.
func (p *Player) deal(answer func(error), send func(g *guest, answer func(error)) error) {
	if len(p.roster) == 0 {
		answer(ErrNobody)
		return
	}
	// Letters keep the answer behind what the members tell of themselves.
	told := func(missing []Absence) {
		err := allBut(missing)
		if !p.mail.put(func(context.Context) { p.notify(); answer(err) }) {
			answer(err)
		}
	}
	sum := &tally{open: len(p.roster), answer: told}
	for _, g := range p.roster {
		name := g.player.cfg.Name
		if err := send(g, func(err error) { sum.add(name, err) }); err != nil {
			sum.add(name, err)
		}
	}
}

// each has every member obey the same command.
func each(c Command) func(*guest, func(error)) error {
	return func(g *guest, answer func(error)) error { return g.player.Send(c, answer) }
}

// A tally counts answers.
type tally struct {
	answer  func([]Absence)
	mu      sync.Mutex
	open    int
	missing []Absence
}

func (t *tally) add(name string, err error) {
	t.mu.Lock()
	if err != nil {
		t.missing = append(t.missing, Absence{name, err})
	}
	t.open--
	over := t.open == 0
	t.mu.Unlock()
	if over {
		t.answer(t.missing)
	}
}
