package video

import (
	"cmp"
	"strings"

	"airplay2mqtt/internal/plist"
)

// heard takes an event of the play queue.
func (q *queue) heard(d plist.Dict) {
	switch {
	case d.Text("kind") == "response":
		q.answered(d)
		return
	case d.Text("type") == "unhandledURL":
		enqueue(q.wishes, wish{d.Dict("request"), d["messageID"]})
		return
	}
	if item := d.Dict("item").Text("uuid"); item != "" && !strings.EqualFold(item, q.playing()) {
		return // of a film before
	}
	if event := newsOf(d); event != nil {
		q.session.heard(q, event)
	}
}

func (q *queue) answered(d plist.Dict) {
	n, _ := d.Int("messageID")
	q.mu.Lock()
	come := q.answers[n]
	delete(q.answers, n)
	q.mu.Unlock()
	if come != nil {
		come <- d // it has room for one
	}
}

// newsOf says in the words of the older ways what an event of the play queue
// says; nil: nothing of use. Some put into params what others say outside.
func newsOf(d plist.Dict) plist.Dict {
	params := d.Dict("params")
	text := func(name string) string { return cmp.Or(d.Text(name), params.Text(name)) }
	switch d.Text("type") {
	case "playbackState":
		event := plist.Dict{"state": cmp.Or(text("name"), text("playbackState")), "reason": text("reason")}
		for _, from := range []plist.Dict{params, d} {
			copyTimes(event, from)
		}
		if e := d.Dict("error"); e != nil {
			event["error"] = e
		}
		return event
	case "notification":
		if text("name") == "itemPlayedToEnd" {
			return plist.Dict{"state": "stopped", "reason": "ended"}
		}
	case "error":
		if e := d.Dict("error"); e != nil {
			return plist.Dict{"error": e}
		}
		return plist.Dict{"error": params}
	}
	return nil
}

// infoOf says in the words of playback-info what the play queue answers.
func infoOf(answer plist.Dict) plist.Dict {
	from := answer.Dict("info")
	if from == nil {
		from = answer.Dict("response").Dict("info")
	}
	if from == nil {
		from = answer.Dict("response")
	}
	info := plist.Dict{}
	for name, value := range from {
		switch name {
		case "duration", "position":
		default:
			info[name] = value
		}
	}
	copyTimes(info, from)
	if from.Text("playbackState") == "loading" {
		info["readyToPlay"] = false
	}
	return info
}

// copyTimes copies where a film is and how long, where that is told: as seconds
// or as Apple's player counts them.
func copyTimes(to, from plist.Dict) {
	for _, name := range []string{"duration", "position"} {
		if at, ok := timeIn(from, name); ok {
			to[name] = at
		}
	}
}

// timeIn reads seconds, or a time of Apple's player: a value in parts of a
// second, which is one only with the first flag and none of the next four.
func timeIn(d plist.Dict, name string) (float64, bool) {
	if at, ok := d.Float(name); ok {
		return at, true
	}
	t := d.Dict(name)
	value, valued := t.Float("value")
	scale, scaled := t.Float("timescale")
	flags, flagged := t.Int("flags")
	if !valued || !scaled || !flagged || scale <= 0 || flags&1 == 0 || flags&0x1c != 0 {
		return 0, false
	}
	return value / scale, true
}
