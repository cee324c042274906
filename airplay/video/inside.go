package video

import (
	"context"
	"errors"
	"net/http"
	"time"

	"airplay2mqtt/internal/plist"
)

// An inside link shows films by /play in a tunnel: tvOS 13 to 17.
type inside struct {
	controls
	*tunnel
	wishes chan wish
}

// wishesMost is how many playlists may wait to be fetched for a receiver.
const wishesMost = 32

func (s *Session) dialInside(ctx context.Context) (link, error) {
	var made *inside
	err := s.enter(ctx, Inside, "AirPlay/550.10", func(t *tunnel, by timing) error {
		l := &inside{controls: controls{t}, tunnel: t, wishes: make(chan wish, wishesMost)}
		t.link = l
		if err := t.begin(ctx, by, l.heard); err != nil {
			return err
		}
		if _, err := t.say(ctx, answerPatience, "RECORD", nil); err != nil {
			return err
		}
		t.work.Go(func() { t.fetch(l.wishes) })
		made = l
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// heard takes an event.
func (l *inside) heard(event plist.Dict) {
	if event.Text("type") == "unhandledURLRequest" {
		enqueue(l.wishes, wish{request: event.Dict("request")})
		return
	}
	l.session.heard(l, event)
}

// enqueue lets a wish wait for its turn; one that finds no room is dropped, and
// the receiver asks again.
func enqueue(wishes chan<- wish, w wish) {
	select {
	case wishes <- w:
	default:
	}
}

const (
	playTries   = 3 // with 500, which it says when it is not ready
	playBetween = time.Second
)

// play asks for a film, and says what else a receiver wants to hear before it
// plays: that it is not to pause most of all.
func (l *inside) play(ctx context.Context, f request) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := l.occupy(ctx); err != nil {
		return err
	}
	defer l.release()
	if err := l.insist(ctx, l.body(f)); err != nil {
		return anotherWay(err)
	}
	nothing := plist.Dict{"value": plist.Dict{"flags": int64(0), "value": int64(0), "epoch": int64(0), "timescale": int64(0)}}
	for _, step := range []struct {
		name, method, path string
		body               plist.Dict
	}{
		{"setProperty", "PUT", "/setProperty?isInterestedInDateRange", plist.Dict{"value": true}},
		{"setProperty", "PUT", "/setProperty?actionAtItemEnd", plist.Dict{"value": int64(0)}},
		{"rate", "POST", "/rate?value=1.000000", nil},
		{"setProperty", "PUT", "/setProperty?forwardEndTime", nothing},
		{"setProperty", "PUT", "/setProperty?reverseEndTime", nothing},
	} {
		// What it answers says little: films play where some are refused.
		if err := ignoreStatus(l.must(ctx, step.name, step.method, step.path, step.body)); err != nil {
			return err
		}
	}
	return nil
}

func (l *inside) body(f request) plist.Dict {
	return plist.Dict{
		"Content-Location": f.address, "Start-Position-Seconds": f.from.Seconds(), "uuid": f.id, "streamType": int64(1), "mediaType": "file",
		"rate": 1.0, "volume": 1.0, "clientProcName": l.session.cfg.Name, "clientBundleID": l.session.cfg.Name,
		"model": "iPhone14,3", "osBuildVersion": "20F66", "SenderMACAddress": l.names.device,
		"playbackRestrictions": int64(0), "referenceRestrictions": int64(3), "mightSupportStorePastisKeyRequests": true,
	}
}

// insist asks for a film until the receiver is ready.
func (l *inside) insist(ctx context.Context, body plist.Dict) error {
	for try := 1; ; try++ {
		err := l.must(ctx, "play", "POST", "/play", body)
		var status *StatusError
		if try == playTries || !errors.As(err, &status) || status.Code != http.StatusInternalServerError {
			return err
		}
		if !wait(ctx, playBetween) {
			return context.Cause(ctx)
		}
	}
}
