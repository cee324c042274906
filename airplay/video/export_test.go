package video

import (
	"time"

	"airplay2mqtt/internal/plist"
)

// A Follower makes states of what a receiver says, for tests.
type Follower struct{ p *progress }

// Follow begins at a moment.
func Follow(now time.Time, from time.Duration) Follower {
	return Follower{newProgress(now, from, 30*time.Second)}
}

// Info takes an answer to playback-info.
func (f Follower) Info(now time.Time, code int, info plist.Dict) (s State, over bool, err error) {
	o := f.p.info(now, code, info)
	return f.p.state, o.over, o.err
}

// Event takes an event.
func (f Follower) Event(now time.Time, event plist.Dict) (s State, over bool, err error) {
	o := f.p.event(now, event)
	return f.p.state, o.over, o.err
}

// News is what an event of the play queue says, and an answer.
func News(body []byte) (event, info plist.Dict, err error) {
	d, err := unwrap(body)
	if err != nil {
		return nil, nil, err
	}
	return newsOf(d), infoOf(d), nil
}
