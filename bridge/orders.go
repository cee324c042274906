package bridge

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/internal/nearest"
)

// hear takes a command from the broker, on the client's goroutine: it must not
// block, so what does not fit is refused.
func (b *Bridge) hear(m mqtt.Message) {
	select {
	case b.heard <- m:
	default:
		device, name, _ := b.split(m.Topic)
		face := newFace(b.tell, b.cfg.MQTT.BaseTopic, device, "")
		face.result(result{Command: name, Status: "error", Error: &problem{
			"rate_limited", "too many commands wait already; this one was dropped",
		}})
	}
}

// split takes a command topic apart.
func (b *Bridge) split(topic string) (device, name string, ok bool) {
	rest, ok := strings.CutPrefix(topic, b.cfg.MQTT.BaseTopic+"/")
	if !ok {
		return "", "", false
	}
	device, name, ok = strings.Cut(rest, "/")
	return device, name, ok && device != ""
}

// obey does what a message asks for and has it answered.
func (b *Bridge) obey(m mqtt.Message) {
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
		err = b.quiet(o, a.began)
	}
	if err != nil {
		a.give(err)
		return
	}
	switch p, _ := o.command.(player.Play); {
	case verbs[name].probe:
		b.probeSound(p, a)
	case b.isList(p):
		b.expand(word, p, a)
	default:
		b.address(word, []player.Command{o.command}, a)
	}
}

// refuseRetained answers a command that the broker had kept: it may be a week
// old, and a doorbell does not ring because a broker restarted.
func (b *Bridge) refuseRetained(topic string, a *answer) {
	b.log.Warn().Str("topic", topic).Msg("a retained command was refused and cleared; publish commands without the retain flag")
	b.chores.Go(func() error {
		ctx, cancel := context.WithTimeout(b.living, 5*time.Second)
		defer cancel()
		return b.client.Clear(ctx, topic)
	})
	a.give(&refusal{"retained_command", "commands are never obeyed when they were retained; publish without the retain flag"})
}

// address hands commands to whom they are for. The first is what the answer is
// about.
func (b *Bridge) address(word string, commands []player.Command, a *answer) {
	if word == "all" {
		b.toAll(commands, a)
		return
	}
	id, ok := b.registry.find(word)
	d := b.devices[id]
	if !ok || d == nil {
		a.give(&refusal{"unknown_device", fmt.Sprintf("there is no device %q%s", word, nearest.Hint(word, b.slugs()))})
		return
	}
	a.face = d.face
	if verbs[a.base.Command].long {
		a.accept()
	}
	b.send(d, commands, a.give)
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

// toAll gives an order to every device that is there, and answers once for all
// when the last has answered.
func (b *Bridge) toAll(commands []player.Command, a *answer) {
	var members []*device
	for _, d := range b.devices {
		if d.online && d.target.Load().refusal == nil {
			members = append(members, d)
		}
	}
	if len(members) == 0 {
		a.give(&refusal{"device_offline", "no device is there that could be played to"})
		return
	}
	if verbs[a.base.Command].long {
		a.accept()
	}
	sum := &gathering{answer: a, open: len(members), members: map[string]result{}}
	for _, d := range members {
		each := &answer{began: a.began, face: d.face, base: a.base}
		b.send(d, commands, func(err error) {
			each.give(err)
			sum.add(d.slug(), each.outcome(err))
		})
	}
}

// A gathering collects the results of a command to all.
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
	g.members[slug] = result{Command: r.Command, Status: r.Status, ID: r.ID, Error: r.Error, LatencyMS: r.LatencyMS}
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
