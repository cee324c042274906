package bridge

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/player"
)

// split takes a command topic apart.
func (b *Bridge) split(topic string) (device, name string, ok bool) {
	rest, ok := strings.CutPrefix(topic, b.cfg.MQTT.BaseTopic+"/")
	if !ok {
		return "", "", false
	}
	device, name, ok = strings.Cut(rest, "/")
	return device, name, ok && device != "" && len(device) <= longestWord
}

// longestWord is how long a device's word in a topic may be; none is as long.
const longestWord = 200

// obey does what a message asks for and has it answered.
func (b *Bridge) obey(m mqtt.Message) {
	b.waiting.Add(-int64(len(m.Payload)))
	word, name, ok := b.split(m.Topic)
	if _, isVerb := verbs[name]; !ok || !isVerb {
		return
	}
	b.commands++
	a := &answer{
		began: time.Now(),
		face:  newFace(b.tell, b.cfg.MQTT.BaseTopic, word, ""),
		base:  result{Command: name, ID: "c" + strconv.Itoa(b.commands)},
	}
	if m.Retain {
		b.refuseRetained(m.Topic, a)
		return
	}
	if !b.admit(word, name, m.Payload, a) {
		return
	}
	if m.Oversize > 0 {
		a.give(bad("the payload has %d bytes, which is more than is read", m.Oversize))
		return
	}
	o, err := parseOrder(name, m.Payload, a.began)
	a.base.Transaction = o.transaction
	if err == nil && !o.expires.IsZero() && !a.began.Before(o.expires) {
		err = &refusal{"expired", "the command is older than its max_age; it was not begun"}
	}
	if err == nil {
		err = b.understood(o.command)
	}
	if err == nil {
		err = b.quiet(o, a.began)
	}
	if err != nil {
		a.give(err)
		return
	}
	_, joins := o.command.(player.Join)
	switch p, _ := o.command.(player.Play); {
	case joins:
		b.join(word, o.leader, a)
	case o.pairing != nil:
		b.obeyPairing(word, *o.pairing, a)
	case verbs[name].probe:
		b.probeSound(p, a)
	case b.isList(p):
		b.expand(word, o, p, a)
	default:
		b.address(word, o, []player.Command{o.command}, a)
	}
}

// admit tells whether a command is let in, and else why not.
func (b *Bridge) admit(word, name string, payload []byte, a *answer) (ok bool) {
	size := 0
	if verbs[name].data {
		size = len(payload)
	}
	d, _ := b.device(word) // nil where there is none
	err := b.gate.admit(name, d, size, b.cfg.Media.MaxPayload, a.began)
	if err == nil {
		return true
	}
	if b.gate.tellsRefusal(a.began) {
		if size == 0 {
			o, _ := parseOrder(name, payload, a.began)
			a.base.Transaction = o.transaction
		}
		a.give(err)
	}
	return false
}

// refuseRetained answers a command that the broker had kept: it may be a week
// old, and a doorbell does not ring because a broker restarted.
func (b *Bridge) refuseRetained(topic string, a *answer) {
	b.clearRetained(topic)
	if !b.gate.tellsRefusal(a.began) {
		return
	}
	b.log.Warn().Str("topic", topic).Msg("a retained command was refused and cleared; publish commands without the retain flag")
	a.give(&refusal{"retained_command", "commands are never obeyed when they were retained; publish without the retain flag"})
}

// address hands commands to whom they are for. The first is what the answer is
// about.
func (b *Bridge) address(word string, o order, commands []player.Command, a *answer) {
	d, err := b.device(word)
	if err != nil {
		a.give(err)
		return
	}
	a.face = d.face
	targets, err := b.targets(d, o.targets)
	if d == b.all && len(d.members) == 0 {
		err = &refusal{"device_offline", "no device is there that could be played to"}
	}
	if err != nil {
		a.give(err)
		return
	}
	if verbs[a.base.Command].long {
		a.accept()
	}
	p, plays := commands[0].(player.Play)
	later := p.Enqueue == player.EnqueueAdd || p.Enqueue == player.EnqueueNext
	switch {
	case plays && !d.isGroup():
		if len(targets) > 0 || !later {
			b.regroupAs(d, targets)
		}
		b.lead(d, commands, a)
	case len(targets) > 0:
		b.each(append(targets, d), commands, a)
	case d == b.all && !plays && b.concernsEach(commands[0]):
		b.each(append(slices.Clone(d.members), d), commands, a)
	default:
		b.lead(d, commands, a)
	}
}

// targets are the devices that a command is for beside that of its topic.
func (b *Bridge) targets(d *device, words []string) ([]*device, error) {
	var targets []*device
	if len(words) > 0 && d.isGroup() {
		return nil, bad("%s is a group, which has its members; targets are for devices", d.slug())
	}
	for _, word := range words {
		t, err := b.device(word)
		if err != nil {
			return nil, err
		}
		them := []*device{t}
		if t.isGroup() {
			them = t.members
		}
		for _, t := range them {
			if t != d && !slices.Contains(targets, t) {
				targets = append(targets, t)
			}
		}
	}
	return targets, nil
}

// concernsEach tells whether a command to all is for each device, whatever it
// plays with whom; else it is for what all play together.
func (b *Bridge) concernsEach(c player.Command) bool {
	switch c.(type) {
	case player.Stop, player.Pause, player.Resume, player.Unjoin:
		return true
	case player.PlayPause, player.Seek, player.Next, player.Previous, player.ClearQueue, player.SetRepeat:
		return !b.all.busy.Load()
	}
	return false
}

// lead gives commands to a device that may lead others, and answers with what
// each of them made of it.
func (b *Bridge) lead(d *device, commands []player.Command, a *answer) {
	audience := b.audience(d)
	if len(audience) == 0 {
		b.send(d, commands, a.give)
		return
	}
	slugs := make([]string, len(audience))
	for i, m := range audience {
		slugs[i] = m.slug()
	}
	b.send(d, commands, func(err error) { a.giveFor(slugs, err) })
}

// addressee is the device that a topic names; nil: there is none, and that is
// answered.
func (b *Bridge) addressee(word string, a *answer) *device {
	d, err := b.device(word)
	if err == nil && d.isGroup() {
		err = bad("pairing is for one device: each shows a PIN of its own")
	}
	if err != nil {
		a.give(err)
		return nil
	}
	a.face = d.face
	return d
}

// send gives commands to a device's player. give is called once, with what
// comes of the first.
func (b *Bridge) send(d *device, commands []player.Command, give func(error)) {
	d.log.Debug().Str("command", fmt.Sprintf("%T", commands[0])).Int("of", len(commands)).Msg("command")
	for _, c := range commands {
		if err := d.player.Send(c, give); err != nil && give != nil {
			give(err)
		}
		give = nil
	}
}

func (b *Bridge) slugs() []string {
	slugs := make([]string, 0, len(b.devices))
	for _, d := range b.devices {
		slugs = append(slugs, d.slug())
	}
	return slugs
}

// each gives an order to several devices, and answers once for all when the
// last has answered.
func (b *Bridge) each(members []*device, commands []player.Command, a *answer) {
	sum := &gathering{answer: a, open: len(members), members: map[string]result{}}
	for _, d := range members {
		each := &answer{began: a.began, face: d.face, base: a.base}
		b.send(d, commands, func(err error) {
			if d.face != a.face {
				each.give(err)
			}
			sum.add(d.slug(), each.outcome(err))
		})
	}
}

// A gathering collects the results of a command to several.
type gathering struct {
	answer  *answer
	mu      sync.Mutex
	open    int
	members map[string]result
	failed  *problem
}

func (g *gathering) add(slug string, r result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if slug != everybody {
		g.members[slug] = r.ofMember()
	}
	if r.Error != nil && g.failed == nil {
		g.failed = r.Error
	}
	if g.open--; g.open > 0 {
		return
	}
	sum := g.answer.outcome(nil)
	sum.Members = g.members
	if g.failed != nil {
		sum.Status, sum.Error = "error", g.failed
	}
	g.answer.face.result(sum)
}

// ofMember is a result as it stands within another.
func (r result) ofMember() result {
	return result{Command: r.Command, Status: r.Status, ID: r.ID, Error: r.Error, LatencyMS: r.LatencyMS}
}

// An answer is what a command will be answered with, and where.
type answer struct {
	began time.Time
	face  *face
	base  result
}

// accept tells that the command is understood and its result comes later.
func (a *answer) accept() {
	r := a.base
	r.Status = "accepted"
	a.face.result(r)
}

// give tells the result; nil is success.
func (a *answer) give(err error) { a.face.result(a.outcome(err)) }

// giveFor tells the result of a command to several who obey as one.
func (a *answer) giveFor(members []string, err error) {
	sum := a.outcome(err)
	sum.Members = map[string]result{}
	var some *player.AbsentError
	errors.As(err, &some)
	for _, slug := range members {
		of := err
		if some != nil {
			of = nil
			for _, m := range some.Members {
				if m.Name == slug {
					of = m.Err
				}
			}
		}
		sum.Members[slug] = a.outcome(of).ofMember()
	}
	a.face.result(sum)
}

func (a *answer) outcome(err error) result {
	r := a.base
	r.Status = "ok"
	if err != nil {
		p := explain(err)
		r.Status, r.Error = "error", &problem{p.Code, p.Message}
		return r
	}
	ms := time.Since(a.began).Milliseconds()
	r.LatencyMS = &ms
	return r
}
