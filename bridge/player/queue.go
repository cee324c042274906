package player

import (
	"errors"
	"slices"
	"time"

	"airplay2mqtt/audio"
)

const (
	// queueSize and queueData are how many sounds may wait, and how many bytes
	// of Data; as much is remembered of what was played.
	queueSize = 1000
	queueData = 64 << 20
	// shortest is how many frames a sound has at least that is repeated: less
	// would come round a thousand times a second.
	shortest = audio.Rate / 10
)

// A program is what is heard, what came before and what comes after it: in
// order past, main, lineup, coming, queue.
type program struct {
	main    *playback           // what is heard, or about to be; nil: nothing
	lineup  []*playback         // opened and in the medley
	coming  *playback           // being opened; it may also be the main one
	opening *child[audio.Track] // opens coming
	queue   []*playback         // waiting to be opened
	past    []memory            // what was heard; the newest last
	round   int                 // which time through all that is to be repeated
	items   []Item              // what waits, as it was told
}

// A memory is a request whose sound was played.
type memory struct {
	request Play
	round   int
	lasts   bool // it had something to be heard
}

// check tells whether a Play makes sense.
func (p *Player) check(c Play) error {
	sources := 0
	for _, given := range []bool{c.URL != "", c.File != "", c.Data != nil} {
		if given {
			sources++
		}
	}
	queued := p.main != nil && (c.Enqueue == EnqueueAdd || c.Enqueue == EnqueueNext)
	switch {
	case p.conducts() && len(p.roster) == 0:
		return ErrNobody
	case sources != 1:
		return errors.New("player: play wants one of a URL, a file and data")
	case c.Enqueue < EnqueueReplace || c.Enqueue > EnqueuePlay:
		return errors.New("player: enqueue by replace, add, next, or play")
	case c.Mode != AutoMode && c.Mode != SoundMode && c.Mode != FilmMode:
		return errors.New("player: mode auto, audio, or video")
	case c.Override < OverrideAll || c.Override > OverrideMissing:
		return errors.New("player: override all tags, or missing ones")
	case c.Repeat != "" && !c.Repeat.valid():
		return errRepeat
	case c.late(time.Now()):
		return ErrExpired
	case queued && !p.program.room(c):
		return ErrQueueFull
	}
	return nil
}

var errRepeat = errors.New("player: repeat off, one, or all")

func (r Repeat) valid() bool { return r == RepeatOff || r == RepeatOne || r == RepeatAll }

// late tells whether a request is of no use any more at t.
func (c Play) late(t time.Time) bool { return !c.Expires.IsZero() && t.After(c.Expires) }

// room tells whether the queue can take a request.
func (g *program) room(c Play) bool {
	n, data := 0, len(c.Data)
	for b := range g.waiting {
		n++
		data += len(b.request.Data)
	}
	return n < queueSize && data <= queueData
}

// waiting is all that waits, in order. What is on its way and unwanted does
// not, nor does the same sound again.
func (g *program) waiting(yield func(*playback) bool) {
	for b := range g.early {
		if b.unwanted == nil && b.encore != RepeatOne && !yield(b) {
			return
		}
	}
	for _, b := range g.queue {
		if !yield(b) {
			return
		}
	}
}

// early is what is opened, or being opened, ahead of time.
func (g *program) early(yield func(*playback) bool) {
	for _, b := range g.lineup {
		if !yield(b) {
			return
		}
	}
	if b := g.coming; b != nil && b != g.main {
		yield(b)
	}
}

// news returns what waits, if that has changed since it was told.
func (g *program) news() (items []Item, changed bool) {
	n := 0
	for b := range g.waiting {
		changed = changed || n >= len(g.items) || g.items[n].PlaybackID != b.id
		n++
	}
	if !changed && n == len(g.items) {
		return g.items, false
	}
	items = make([]Item, 0, n)
	for b := range g.waiting {
		items = append(items, Item{PlaybackID: b.id, URL: b.request.URL, File: b.request.File, Title: b.request.name()})
	}
	g.items = items
	return slices.Clone(items), true
}

// enqueue has a playback wait where its request wants.
func (p *Player) enqueue(b *playback) {
	if b.request.Enqueue == EnqueueNext {
		p.recall()
		p.queue = slices.Insert(p.queue, 0, b)
		return
	}
	p.queue = append(p.queue, b)
}

// recall puts back into the queue all that has been opened ahead and not been
// read from: something else comes first. While nothing is performed that is
// all.
func (p *Player) recall() {
	var line, back []*playback
	for _, b := range p.lineup {
		if p.show != nil && !p.show.medley.withdraw(b.part) {
			line = append(line, b)
			continue
		}
		p.discard(b)
		back = append(back, b)
	}
	if b := p.coming; b != nil && b != p.main {
		p.opening.abandon()
		p.coming, p.opening = nil, nil
		back = append(back, b)
	}
	back = slices.DeleteFunc(back, func(b *playback) bool { return b.encore == RepeatOne || b.unwanted != nil })
	p.lineup, p.queue = line, append(back, p.queue...)
}

// discard lets go of a playback's sound.
func (p *Player) discard(b *playback) {
	if track := b.track; track.Source != nil {
		p.children.Go(func() { track.Close() }) // may wait for the network
	}
	b.track, b.part = audio.Track{}, nil
}

// empty takes away all that waits, and returns it to be answered. What is on
// its way stays there, unwanted.
func (p *Player) empty() []*playback {
	p.recall()
	gone := slices.Collect(p.waiting)
	p.queue = nil
	for _, b := range p.lineup {
		b.unwanted = ErrReplaced
	}
	p.newRound()
	return gone
}

// giveAll answers those who asked for the playbacks.
func giveAll(gone []*playback, err error) {
	for _, b := range gone {
		b.give(err)
	}
}

// newRound says that nothing that was played up to now is to be repeated.
func (p *Player) newRound() {
	p.round++
	if p.main != nil {
		p.main.round = p.round
	}
}

// remember keeps what was heard, to be heard again.
func (p *Player) remember(b *playback) {
	b.past = true
	p.past = append(p.past, memory{request: b.request, round: b.round, lasts: p.lasts(b)})
	data := 0
	for i, m := range slices.Backward(p.past) {
		if data += len(m.request.Data); data > queueData || len(p.past)-i > queueSize {
			p.past = slices.Clone(p.past[i+1:])
			break
		}
	}
}

// lasts tells whether there is enough of a playback's sound to repeat it.
func (p *Player) lasts(b *playback) bool {
	if b.part == nil {
		return true
	}
	size, known := b.part.size()
	if p.show != nil {
		l := p.show.look(b)
		size, known = l.size, l.known
	}
	return !known || size >= shortest
}

// again makes a playback of a request that was played before.
func (p *Player) again(c Play, why Repeat) *playback {
	c.Volume, c.Expires = nil, time.Time{}
	b := p.admit(c, nil)
	b.encore = why
	return b
}

// same returns what is heard last once more, if that is to be.
func (p *Player) same() *playback {
	b := p.last()
	if !p.repeatsOne() {
		return nil
	}
	c := p.again(b.request, RepeatOne)
	c.round = b.round
	return c
}

// last returns what is heard last of all that was opened.
func (p *Player) last() *playback {
	if n := len(p.lineup); n > 0 {
		return p.lineup[n-1]
	}
	return p.main
}

func (p *Player) repeatsOne() bool {
	b := p.last()
	return p.state.Repeat == RepeatOne && b != nil && b.unwanted == nil && p.lasts(b)
}

// draw takes the next one out of the queue, which is filled again if all is
// to be repeated; nil: there is none. What would be too late is sent away.
func (p *Player) draw() *playback {
	if len(p.queue) == 0 {
		p.refill()
	}
	at := p.soonest()
	for len(p.queue) > 0 {
		b := p.queue[0]
		p.queue = slices.Delete(p.queue, 0, 1)
		if b.request.late(at) {
			b.give(ErrExpired)
			continue
		}
		if b.round == 0 {
			b.round = p.round
		}
		return b
	}
	return nil
}

// refill fills the queue with all that was played in this round.
func (p *Player) refill() {
	played := p.played()
	if len(played) == 0 {
		return
	}
	p.round++
	for _, c := range played {
		p.queue = append(p.queue, p.again(c, RepeatAll))
	}
}

// played returns what was, or will have been, played in this round and is to
// be repeated.
func (p *Player) played() []Play {
	if p.state.Repeat != RepeatAll {
		return nil
	}
	var played []Play
	for _, m := range p.past {
		if m.round == p.round && m.lasts {
			played = append(played, m.request)
		}
	}
	for _, b := range append([]*playback{p.main}, p.lineup...) {
		if b != nil && !b.past && b.unwanted == nil && b.round == p.round && p.lasts(b) {
			played = append(played, b.request)
		}
	}
	return played
}

// setRepeat changes what comes after a sound.
func (p *Player) setRepeat(to Repeat) error {
	if !to.valid() {
		return errRepeat
	}
	if to == RepeatOff {
		to = ""
	}
	if to == p.state.Repeat {
		return nil
	}
	p.recall()
	if n := len(p.queue); n > 0 {
		p.queue = slices.DeleteFunc(p.queue, func(b *playback) bool { return b.encore != "" })
		if len(p.queue) < n && p.main != nil {
			p.round = p.main.round // it goes on being the first time
		}
	}
	p.state.Repeat = to
	return nil
}
