package video

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// A queue shows films by a play queue, of which there is one item: tvOS 18 and
// later. What it is told goes in commands, and what it answers comes as events.
type queue struct {
	*tunnel
	stream int64 // by which commands are told from those of others
	wishes chan wish

	mu      sync.Mutex
	item    string // UUID of what is played
	number  int64  // of the last question
	answers map[int64]chan plist.Dict
}

const (
	queueAgent = "AirPlay/870.14.1"
	// films are a kind of remote control of this type (docs/protocols/video.md,
	// play queue).
	controlStream = 130
	filmsType     = "A6B27562-B43A-4F2D-B75F-82391E250194"
)

func (s *Session) dialQueue(ctx context.Context) (link, error) {
	var made *queue
	err := s.enter(ctx, Queue, queueAgent, func(t *tunnel, by timing) error {
		q := &queue{tunnel: t, wishes: make(chan wish, wishesMost), answers: map[int64]chan plist.Dict{}}
		t.link = q
		if err := t.begin(ctx, by, q.heard); err != nil {
			return err
		}
		if err := q.open(ctx); err != nil {
			return err
		}
		t.work.Go(func() { t.fetch(q.wishes) })
		made = q
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// open asks for the stream without which commands are refused.
func (q *queue) open(ctx context.Context) error {
	if _, err := q.client.Do(ctx, rtsp.Request{Method: "GET", URI: "/info"}); err != nil {
		return fmt.Errorf("info: %w", err)
	}
	if _, err := q.say(ctx, answerPatience, "RECORD", nil); err != nil {
		return err
	}
	client, err := newID(q.session.cfg.Rand)
	if err != nil {
		return err
	}
	answer, err := q.say(ctx, answerPatience, "SETUP", plist.Dict{"streams": []any{plist.Dict{
		"type": int64(controlStream), "controlType": int64(1), "clientTypeUUID": filmsType,
		"clientUUID": strings.ToUpper(client), "channelID": q.names.device + "-RCS-1",
	}}})
	if err != nil {
		return anotherWay(err)
	}
	streams := answer.List("streams")
	if len(streams) == 0 {
		return fmt.Errorf("%w: setup: the receiver agreed to no stream", errWay)
	}
	agreed, _ := streams[0].(plist.Dict)
	stream, ok := agreed.Int("streamID")
	if !ok {
		return fmt.Errorf("%w: setup: the receiver named no stream", errWay)
	}
	q.stream = stream
	return nil
}

// command sends one, and takes nothing but 200.
func (q *queue) command(ctx context.Context, d plist.Dict) error {
	inner, err := plist.Marshal(d)
	if err != nil {
		return err
	}
	body, err := plist.Marshal(plist.Dict{"params": plist.Dict{"data": inner}})
	if err != nil {
		return err
	}
	a, err := q.do(ctx, rtsp.Request{Method: "POST", URI: "/command", Protocol: rtsp.HTTP, Body: body, Header: rtsp.Header{
		{Name: "Content-Type", Value: listType}, {Name: "X-Apple-ProtocolVersion", Value: "1"},
		{Name: "X-Apple-StreamID", Value: strconv.FormatInt(q.stream, 10)}}})
	if err == nil {
		err = a.ok("command " + d.Text("type"))
	}
	return err
}

// play puts a film into the queue, and has it play: it waits otherwise.
func (q *queue) play(ctx context.Context, f request) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := q.occupy(ctx); err != nil {
		return err
	}
	defer q.release()
	item := plist.Dict{"uuid": strings.ToUpper(f.id), "mediaType": "file", "Content-Location": f.address}
	if f.hls() {
		item["HLS-Content-Location"] = f.address // live lists are followed by it
	}
	if f.from > 0 {
		item["Start-Position-Seconds"] = f.from.Seconds()
	}
	before := q.exchange(item.Text("uuid"))
	if before != "" {
		old := plist.Dict{"type": "removePlayQueueItem", "item": plist.Dict{"uuid": before}}
		if err := ignoreStatus(q.command(ctx, old)); err != nil {
			return err
		}
	}
	for _, d := range []plist.Dict{
		{"type": "insertPlayQueueItem", "item": item},
		{"type": "setProperty", "property": "isInterestedInDateRange", "value": true, "item": plist.Dict{"uuid": item["uuid"]}},
		{"type": "setProperty", "property": "actionAtItemEnd", "value": int64(1)},
		{"type": "setRate", "rate": 1.0},
	} {
		if err := q.command(ctx, d); err != nil {
			return anotherWay(err)
		}
	}
	return nil
}

// exchange names the film that is played, and returns the one before.
func (q *queue) exchange(item string) (before string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before, q.item = q.item, item
	return before
}

func (q *queue) playing() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.item
}

func (q *queue) rate(ctx context.Context, rate float64) error {
	return q.command(ctx, plist.Dict{"type": "setRate", "rate": rate})
}

func (q *queue) seek(ctx context.Context, to time.Duration) error {
	at := func(d time.Duration) plist.Dict {
		return plist.Dict{"value": d.Milliseconds(), "timescale": int64(1000), "flags": int64(1), "epoch": int64(0)}
	}
	d := plist.Dict{"type": "seek", "time": at(to), "toleranceBefore": at(0), "toleranceAfter": at(0), "item": plist.Dict{"uuid": q.playing()}}
	_, err := q.question(ctx, d)
	return err
}

func (q *queue) stop(ctx context.Context) error {
	err := q.command(ctx, plist.Dict{"type": "stop"})
	if item := q.exchange(""); err == nil && item != "" {
		err = ignoreStatus(q.command(ctx, plist.Dict{"type": "removePlayQueueItem", "item": plist.Dict{"uuid": item}}))
	}
	return err
}

func (q *queue) give(ctx context.Context, w wish, f fetched) error {
	return q.command(ctx, plist.Dict{"kind": "response", "type": "unhandledURL", "messageID": w.message, "response": w.answer(f)})
}

// eventPatience is how long is waited for the answer to a question. There are
// receivers that give none.
const eventPatience = 2 * time.Second

// question asks something whose answer comes as an event.
func (q *queue) question(ctx context.Context, d plist.Dict) (plist.Dict, error) {
	come := make(chan plist.Dict, 1)
	q.mu.Lock()
	q.number++
	n := q.number
	q.answers[n] = come
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.answers, n)
		q.mu.Unlock()
	}()
	d["kind"], d["messageID"] = "request", n
	if err := q.command(ctx, d); err != nil {
		return nil, err
	}
	timer := time.NewTimer(eventPatience)
	defer timer.Stop()
	select {
	case answer := <-come:
		return answer, nil
	case <-timer.C:
		return nil, nil
	case <-q.client.Done():
		return nil, q.client.Err()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// poll asks how far it is; the rest comes by itself.
func (q *queue) poll(ctx context.Context) (report, error) {
	answer, err := q.question(ctx, plist.Dict{"type": "playbackInfo"})
	var status *StatusError
	switch {
	case errors.As(err, &status), err == nil && answer == nil:
		return report{none: true}, nil
	case err != nil:
		return report{}, err
	}
	return report{code: 200, info: infoOf(answer)}, nil
}
