package airplaytest

import (
	"fmt"
	"time"

	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// command takes one of the play queue.
func (c *cinema) command(req rtsp.Request, s *session) rtsp.Response {
	outer, err := plist.UnmarshalDict(req.Body)
	d, bad := plist.UnmarshalDict(outer.Dict("params").Bytes("data"))
	switch {
	case err != nil || bad != nil:
		return ok() // now playing, which it shows or not
	case s == nil || s.films == 0 || c.cfg.NoCommands: // (postlund/pyatv#2899)
		return code(500, "Internal Server Error")
	case req.Header.Get("X-Apple-StreamID") != fmt.Sprint(s.films), req.Header.Get("X-Apple-Session-ID") == "":
		return code(400, "Bad Request")
	}
	if d.Text("type") != "playbackInfo" {
		c.noteCommand(d.Text("type"))
	}
	return c.obey(d)
}

func (c *cinema) obey(d plist.Dict) rtsp.Response {
	switch d.Text("type") {
	case "insertPlayQueueItem":
		return c.insert(d.Dict("item"))
	case "setProperty":
		return ok()
	case "setRate":
		return c.setRate(d)
	case "seek":
		return c.seek(d)
	case "playbackInfo":
		c.note(func(l *FilmLog) { l.Polls++ })
		if !c.cfg.Mute {
			c.send(plist.Dict{"type": "playbackInfo", "kind": "response", "messageID": d["messageID"], "info": c.describe()})
		}
		return ok()
	case "unhandledURL":
		return c.given(d)
	case "stop":
		c.note(func(l *FilmLog) { l.Stops++ })
		c.screen.Quit("ended")
		return ok()
	case "removePlayQueueItem":
		c.mu.Lock()
		ours := d.Dict("item").Text("uuid") == c.item
		c.mu.Unlock()
		if ours {
			c.screen.Quit("")
		}
		return ok()
	}
	return code(400, "Bad Request")
}

// insert puts an item into the queue, which waits for a rate.
func (c *cinema) insert(item plist.Dict) rtsp.Response {
	if item.Text("uuid") == "" || item.Text("mediaType") != "file" || item.Text("Content-Location") == "" {
		return code(400, "Bad Request")
	}
	from, _ := item.Float("Start-Position-Seconds")
	c.mu.Lock()
	c.item, c.begun = item.Text("uuid"), true
	c.log.Items = append(c.log.Items, item)
	c.mu.Unlock()
	c.screen.Play(item.Text("Content-Location"), time.Duration(from*float64(time.Second)))
	return ok()
}

func (c *cinema) setRate(d plist.Dict) rtsp.Response {
	rate, told := d.Float("rate")
	if !told {
		return code(400, "Bad Request")
	}
	c.mu.Lock()
	c.rated, c.begun = true, false
	c.mu.Unlock()
	c.screen.SetRate(rate)
	return ok()
}

// seek goes to a place, and says where it went.
func (c *cinema) seek(d plist.Dict) rtsp.Response {
	t := d.Dict("time")
	value, _ := t.Float("value")
	scale, _ := t.Float("timescale")
	if scale <= 0 {
		return code(400, "Bad Request")
	}
	c.screen.Scrub(time.Duration(value / scale * float64(time.Second)))
	c.send(plist.Dict{"type": "seek", "kind": "response", "messageID": d["messageID"], "position": t})
	return ok()
}

// given takes a playlist that the sender has fetched.
func (c *cinema) given(d plist.Dict) rtsp.Response {
	n, _ := d.Int("messageID")
	c.mu.Lock()
	come := c.waiting[n]
	delete(c.waiting, n)
	c.log.Lists = append(c.log.Lists, d.Dict("response"))
	c.mu.Unlock()
	if d.Text("kind") != "response" || come == nil {
		return code(400, "Bad Request")
	}
	come <- d.Dict("response")
	return ok()
}
