package video

import (
	"time"

	"airplay2mqtt/internal/plist"
)

// Status is what a receiver does with a film.
type Status string

// What a receiver does with a film.
const (
	Loading Status = "loading" // it has no picture yet, or has run dry
	Playing Status = "playing"
	Paused  Status = "paused"
)

// A State is how far a receiver is, as of a moment.
type State struct {
	Status   Status
	Position time.Duration
	Duration time.Duration // 0: not known, or it has no end
	At       time.Time     // when that was so; while it plays, it goes on from there
}

const (
	// emptyMost is how often a receiver may answer nothing at all, as some do
	// after the start and after a seek.
	emptyMost = 5
	// refusedMost is how often it may answer that it is not ready.
	refusedMost = 10
	// moveAfter is how often in a row until another way is tried.
	moveAfter = 2
	// near is how far from its end a film may be when it ends.
	near = 3 * time.Second
)

// A progress makes of what a receiver answers and tells the state of a film
// (docs/protocols/video.md, state). It is a value without a world.
type progress struct {
	state    State
	began    time.Time // when it was told to play
	started  bool      // it has played
	paused   bool      // by us, the last time
	empty    int       // answers without anything, in a row
	refused  int       // answers of 500, in a row
	still    int       // answers at which the position had not moved
	patience time.Duration
	from     time.Duration
	placed   bool // it has been seen whether it began at from
}

func newProgress(now time.Time, from, patience time.Duration) *progress {
	return &progress{state: State{Status: Loading, Position: from, At: now}, began: now, from: from, patience: patience, placed: from == 0}
}

// An outcome is what follows from what a receiver says.
type outcome struct {
	over bool
	err  error // nil: the film has ended
	seek bool  // it began at the beginning, although it was told not to
}

// info takes an answer to playback-info.
func (p *progress) info(now time.Time, code int, info plist.Dict) outcome {
	if e := info.Dict("error"); e != nil {
		return outcome{over: true, err: playerError(e)}
	}
	switch {
	case code != 200:
		return p.refuse(now)
	case len(info) == 0:
		return p.nothing(now)
	}
	p.empty, p.refused = 0, 0
	duration, known := info.Float("duration")
	_, live := info["seekableTimeRanges"]
	if !known && !(live && p.started) {
		return p.without(now, info, live)
	}
	return p.with(now, info, seconds(duration))
}

// refuse counts answers that it is not ready, or has failed.
func (p *progress) refuse(now time.Time) outcome {
	p.refused++
	switch {
	case p.started && p.refused > emptyMost:
		return p.ended(now)
	case !p.started && p.refused >= refusedMost:
		return outcome{over: true, err: ErrNotStarted}
	}
	return p.wait(now)
}

// nothing counts answers that say nothing.
func (p *progress) nothing(now time.Time) outcome {
	p.empty++
	if p.started && p.empty > emptyMost {
		return p.ended(now)
	}
	return p.wait(now)
}

// without takes an answer that tells no duration: the film is not there yet, or
// not any more, or has no end.
func (p *progress) without(now time.Time, info plist.Dict, live bool) outcome {
	if p.started {
		return p.ended(now)
	}
	if ready, _ := info.Bool("readyToPlay"); ready && live {
		return p.with(now, info, 0)
	}
	return p.wait(now)
}

// wait is for what does not play yet.
func (p *progress) wait(now time.Time) outcome {
	if !p.started && now.Sub(p.began) >= p.patience {
		return outcome{over: true, err: ErrNotStarted}
	}
	return outcome{}
}

// with takes an answer that tells how far the film is.
func (p *progress) with(now time.Time, info plist.Dict, duration time.Duration) outcome {
	at, _ := info.Float("position")
	position := seconds(at)
	rate, _ := info.Float("rate")
	moved := position != p.state.Position || !p.started
	before := p.state
	p.state = State{Status: Loading, Position: position, Duration: duration, At: now}
	if ready, told := info.Bool("readyToPlay"); told && !ready {
		return p.wait(now)
	}
	if moved {
		p.still = 0
	} else {
		p.still++
	}
	switch {
	case rate > 0 && !starved(info, moved) && p.still < 2:
		p.state.Status, p.started, p.paused = Playing, true, false
	case rate == 0 && p.started:
		if duration > 0 && duration-position < time.Second && before.Status == Playing && !p.paused {
			return outcome{over: true} // it keeps its last picture
		}
		p.state.Status = Paused
	case rate == 0:
		return p.wait(now)
	}
	if p.started && p.atEnd() && p.still >= 2 && rate > 0 {
		return outcome{over: true}
	}
	if !p.placed && p.started {
		p.placed = true
		return outcome{seek: position+5*time.Second < p.from}
	}
	return outcome{}
}

// starved tells whether the player has run dry. What moves has not, whatever
// else is said.
func starved(info plist.Dict, moved bool) bool {
	empty, _ := info.Bool("playbackBufferEmpty")
	likely, told := info.Bool("playbackLikelyToKeepUp")
	return !moved && (empty || told && !likely)
}

// ended is for a film that is there no more. In the middle of it, that was
// somebody's doing.
func (p *progress) ended(now time.Time) outcome {
	if p.state.Duration > 0 && p.state.Duration-p.position(now) > near {
		return outcome{over: true, err: ErrStopped}
	}
	return outcome{over: true}
}

func (p *progress) atEnd() bool {
	return p.state.Duration > 0 && p.state.Duration-p.state.Position < time.Second
}

// position is where the film is by now.
func (p *progress) position(now time.Time) time.Duration { return p.state.place(now) }

// place is where the film is by now.
func (s State) place(now time.Time) time.Duration {
	at := s.Position
	if s.Status == Playing {
		at += now.Sub(s.At)
	}
	if s.Duration > 0 {
		at = min(at, s.Duration)
	}
	return at
}

// event takes what the receiver tells by itself.
func (p *progress) event(now time.Time, event plist.Dict) outcome {
	if e := event.Dict("error"); e != nil {
		return outcome{over: true, err: playerError(e)}
	}
	switch state := event.Text("state"); state {
	case "playing", "paused", "loading":
		if state == "paused" && !p.started {
			return outcome{} // some say so while they load
		}
		if d, ok := event.Float("duration"); ok {
			p.state.Duration = seconds(d)
		}
		p.state.Position, p.state.At = p.position(now), now
		if at, ok := event.Float("position"); ok {
			p.state.Position = seconds(at)
		}
		p.state.Status = Status(state)
		p.started = p.started || state == "playing"
		p.still, p.empty, p.refused = 0, 0, 0
	case "stopped":
		switch event.Text("reason") {
		case "ended":
			return outcome{over: true}
		case "interrupted":
			return outcome{over: true, err: ErrStopped}
		}
		if p.started {
			return p.ended(now)
		}
	}
	return outcome{}
}

// sought notes that the film goes on at another place.
func (p *progress) sought(now time.Time, to time.Duration) {
	p.state.Position, p.state.At, p.empty, p.still, p.placed = to, now, 0, 0, true
}

func playerError(e plist.Dict) error {
	code, _ := e.Int("code")
	return &PlayerError{Domain: e.Text("domain"), Code: code}
}

// seconds is a length of time; what makes no sense is none.
func seconds(v float64) time.Duration {
	if !(v > 0 && v < 1e7) {
		return 0
	}
	return time.Duration(v * float64(time.Second))
}
