package airplaytest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/airplay/video/videotest"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// Films says how a receiver shows films, and what is odd about that.
type Films struct {
	// Screen loads and plays them. What it tells and asks is the receiver's.
	Screen videotest.ScreenConfig
	// Queue shows them by a play queue (tvOS 18 and later), and takes /play
	// without playing anything. Else they are shown by /play (tvOS 13 to 17).
	Queue bool

	NeedsPTP   bool // with NTP it tells nothing, and hangs up after 20 s: tvOS 26.5
	RefusesPTP bool // 400 to PTP that names no clock: tvOS before 26.5
	AsksLists  bool // it has the sender fetch playlists: tvOS 26
	Mute       bool // it does not answer how far it is, but tells what happens
	NoVolume   bool // 501 to a volume
	NoStream   bool // 400 to the stream of the play queue
	NoCommands bool // 500 to every command
	PlayErrors int  // so many times it answers 500 to /play before it plays
	RefuseInfo int  // the code with which it answers playback-info
}

// FilmLog is what a receiver remembers of films.
type FilmLog struct {
	videotest.ScreenLog
	Commands []string     // types, in their order: "insertPlayQueueItem", "/play", without those that ask how far it is
	Polls    int          // questions how far it is
	Items    []plist.Dict // that were put into the queue, or were to be played
	Lists    []plist.Dict // playlists that the sender fetched
	Stops    int
}

// A cinema is the part of a receiver that shows films.
type cinema struct {
	r      *Receiver
	cfg    Films
	screen *videotest.Screen

	mu      sync.Mutex
	log     FilmLog
	item    string // UUID of what is in the queue
	next    plist.Dict
	rated   bool // a rate was set: it tells what happens from then on
	begun   bool // commands come that must follow each other
	errors  int
	asked   int64
	waiting map[int64]chan plist.Dict
}

func (r *Receiver) newCinema(cfg Films) *cinema {
	c := &cinema{r: r, cfg: cfg, errors: cfg.PlayErrors, waiting: map[int64]chan plist.Dict{}}
	s := cfg.Screen
	s.Agent = "AppleCoreMedia/1.0.0.20K71 (Apple TV; U; CPU OS 16_1 like Mac OS X; en_us)"
	s.Paused, s.HangUp, s.Tell = true, r.HangUp, c.tell
	if cfg.AsksLists {
		s.Lists = c.beg
	}
	c.screen = videotest.NewScreen(s)
	return c
}

// FilmLog returns what is remembered of films so far.
func (r *Receiver) FilmLog() FilmLog {
	c := r.cinema
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.log
	l.ScreenLog = c.screen.Log()
	l.Commands, l.Items, l.Lists = slices.Clone(l.Commands), slices.Clone(l.Items), slices.Clone(l.Lists)
	return l
}

// Remote is what somebody does with the remote control of an Apple TV: "pause",
// "play", "stop", and "other", which is another sender that takes it over.
func (r *Receiver) Remote(button string) {
	switch button {
	case "pause":
		r.cinema.screen.SetRate(0)
	case "play":
		r.cinema.screen.SetRate(1)
	case "stop":
		r.cinema.screen.Quit("interrupted")
	case "other":
		r.mu.Lock()
		r.taken = true
		r.mu.Unlock()
		r.HangUp()
	}
}

// tell says what happens on the screen, in a play queue's words.
func (c *cinema) tell(event plist.Dict) {
	c.mu.Lock()
	rated, item := c.rated, c.item
	c.mu.Unlock()
	state, reason, trouble := event.Text("state"), event.Text("reason"), event.Dict("error")
	switch {
	case !c.cfg.Queue: // it is asked
		return
	case trouble != nil:
		c.send(plist.Dict{"type": "error", "error": trouble, "uuid": item})
		return
	case !rated:
		return
	}
	if reason == "ended" {
		c.send(plist.Dict{"type": "notification", "name": "itemPlayedToEnd", "item": plist.Dict{"uuid": item}})
	}
	d := plist.Dict{"type": "playbackState", "name": state}
	switch {
	case reason != "":
		d["reason"] = reason
	case state == "playing" || state == "paused":
		d["item"], d["params"] = plist.Dict{"uuid": item}, c.describe()
	}
	c.send(d)
}

// send says something to the sender, wrapped as the play queue does it.
func (c *cinema) send(d plist.Dict) {
	c.r.mu.Lock()
	s := c.r.current
	c.r.mu.Unlock()
	inner, err := plist.Marshal(d)
	if err != nil || s == nil || s.silent {
		return
	}
	s.tell(plist.Dict{"params": plist.Dict{"data": inner}})
}

// describe is how far the film is, in the times of Apple's player.
func (c *cinema) describe() plist.Dict {
	info := c.screen.Info()
	d := plist.Dict{"playbackState": "loading", "rate": info["rate"]}
	if d["rate"] == nil {
		d["rate"] = 0.0
	}
	for _, name := range []string{"position", "duration"} {
		at, ok := info.Float(name)
		if !ok {
			d[name] = plist.Dict{"value": int64(0), "timescale": int64(0), "flags": int64(0x11), "epoch": int64(0)} // indefinite
			continue
		}
		d[name] = plist.Dict{"value": int64(at * 600), "timescale": int64(600), "flags": int64(1), "epoch": int64(0)}
	}
	if ready, _ := info.Bool("readyToPlay"); ready {
		d["playbackState"], d["seekableTimeRanges"] = "playing", info["seekableTimeRanges"]
		if rate, _ := info.Float("rate"); rate == 0 {
			d["playbackState"] = "paused"
		}
	}
	return d
}

// beg has the sender fetch a playlist.
func (c *cinema) beg(ctx context.Context, address string) (status int, text []byte, err error) {
	come := make(chan plist.Dict, 1)
	c.mu.Lock()
	c.asked++
	n := c.asked
	c.waiting[n] = come
	c.mu.Unlock()
	c.send(plist.Dict{"type": "unhandledURL", "kind": "request", "messageID": n, "request": plist.Dict{
		"FCUP_Response_URL": address, "FCUP_Response_RequestID": 40 + n, "FCUP_Response_Headers": plist.Dict{"User-Agent": "AppleCoreMedia"}}})
	select {
	case d := <-come:
		if id, _ := d.Int("FCUP_Response_RequestID"); id != 40+n || d.Text("FCUP_Response_URL") != address {
			return 0, nil, fmt.Errorf("an answer to request %d", id)
		}
		code, _ := d.Int("FCUP_Response_StatusCode")
		return int(code), d.Bytes("FCUP_Response_Data"), nil
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

func (c *cinema) note(f func(l *FilmLog)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.log)
}

func (c *cinema) noteCommand(name string) {
	c.note(func(l *FilmLog) { l.Commands = append(l.Commands, name) })
}

// leave forgets what a sender wanted that is gone.
func (c *cinema) leave() {
	c.screen.Quit("")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.item, c.next, c.rated, c.begun = "", nil, false, false
}

// films answers what is about films; ok is false for all else.
func (c *caller) films(req rtsp.Request) (resp rtsp.Response, ok bool) {
	f := c.r.cinema
	if f == nil {
		return resp, false
	}
	address, err := url.Parse(req.URI)
	if err != nil {
		return resp, false
	}
	switch path := req.Method + " " + address.Path; {
	case path == "POST /feedback":
		return c.beat(), true
	case req.Protocol != rtsp.HTTP: // an Apple TV takes them as HTTP only (pyatv)
		return resp, false
	case path == "POST /command" && len(req.Body) > 0:
		return f.command(req, c.session), true
	case c.session == nil || !c.session.recorded:
		return code(455, "Method Not Valid in This State"), true
	case path == "POST /play":
		return f.play(req), true
	case path == "GET /playback-info":
		return f.info(), true
	case strings.HasPrefix(path, "PUT /setProperty"):
		return list(plist.Dict{"errorCode": int64(0)}), true
	case path == "POST /rate":
		var rate float64
		fmt.Sscan(address.Query().Get("value"), &rate)
		f.screen.SetRate(rate)
	case path == "POST /scrub":
		var at float64
		fmt.Sscan(address.Query().Get("position"), &at)
		f.screen.Scrub(time.Duration(at * float64(time.Second)))
	case path == "POST /stop":
		f.note(func(l *FilmLog) { l.Stops++ })
		f.screen.Quit("")
	default:
		return resp, false
	}
	return rtsp.Response{Code: 200, Reason: "OK"}, true
}

// beat notes that the sender is there. Between commands that must follow each
// other it ends the connection (postlund/pyatv#2899).
func (c *caller) beat() rtsp.Response {
	c.r.note(func(l *Log) { l.Feedbacks++ })
	f := c.r.cinema
	f.mu.Lock()
	c.bye = c.bye || f.begun
	f.mu.Unlock()
	if c.session != nil {
		c.session.beaten.Store(int64(time.Since(c.session.born)))
	}
	return ok()
}

// play takes a film as tvOS up to 17 does.
func (c *cinema) play(req rtsp.Request) rtsp.Response {
	c.noteCommand("/play")
	d, err := plist.UnmarshalDict(req.Body)
	c.mu.Lock()
	c.errors--
	busy := c.errors >= 0
	c.mu.Unlock()
	switch {
	case err != nil || d.Text("Content-Location") == "" || d.Text("uuid") == "" || req.Header.Get("X-Apple-Session-ID") == "":
		return code(400, "Bad Request")
	case busy:
		return code(500, "Internal Server Error")
	case c.cfg.Queue:
		c.screen.Glance(d.Text("Content-Location")) // and that is all (postlund/pyatv#2906)
		return ok()
	}
	c.note(func(l *FilmLog) { l.Items = append(l.Items, d) })
	from, _ := d.Float("Start-Position-Seconds")
	c.screen.Play(d.Text("Content-Location"), time.Duration(from*float64(time.Second)))
	return ok()
}

func (c *cinema) info() rtsp.Response {
	c.note(func(l *FilmLog) { l.Polls++ })
	switch {
	case c.cfg.RefuseInfo != 0:
		return code(c.cfg.RefuseInfo, "As Told")
	case c.cfg.Queue:
		return code(500, "Internal Server Error")
	}
	return list(c.screen.Info())
}

// openStream is the stream of the play queue.
func (c *cinema) openStream(s *session, d plist.Dict) (plist.Dict, error) {
	kind, _ := d.Int("controlType")
	if !c.cfg.Queue || c.cfg.NoStream || kind != 1 || d.Text("clientTypeUUID") != "A6B27562-B43A-4F2D-B75F-82391E250194" || d.Text("channelID") == "" || !s.recorded {
		return nil, errors.New("Bad Request")
	}
	s.films = 7
	return plist.Dict{"type": int64(130), "streamID": s.films}, nil
}

// timePatience is how long an Apple TV tries to ask for the time.
const timePatience = 30 * time.Second

// learnsTime waits until the sender has told the time.
func (s *session) learnsTime() bool {
	t := time.NewTimer(timePatience)
	defer t.Stop()
	select {
	case <-s.timed:
		return true
	case <-t.C:
	case <-s.r.over:
	}
	return false
}

const (
	beatPatience = 10 * time.Second // without which it takes the sender for dead
	mutePatience = 20 * time.Second // of tvOS 26.5 with NTP
)

// watchFilms ends a session whose sender is gone, or has begun it wrongly.
func (s *session) watchFilms(timing string) {
	s.silent = timing == "NTP" && s.r.cfg.Films.NeedsPTP
	s.every(time.Second, time.Second, func() {
		age := time.Since(s.born)
		if age-time.Duration(s.beaten.Load()) > beatPatience || s.silent && age > mutePatience {
			s.caller.raw.Close()
		}
	})
}
