package bridge

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/dacp"
)

// A face is what the broker sees of one device: its topics. Its methods may be
// called from any goroutine and never block.
type face struct {
	tell       *teller
	base, slug string
	mu         sync.Mutex
	state      player.State
	pairing    string
	busy       bool         // somebody else plays on the device
	shown      bool         // state has been told once
	last       [4]time.Time // when the state was told, the oldest first
	later      *time.Timer  // set while a newer state waits for its turn
	gone       bool         // the device is not shown any more: nothing of it is kept
}

func newFace(tell *teller, base, slug, pairing string) *face {
	return &face{tell: tell, base: base, slug: slug, pairing: pairing}
}

func (f *face) topic(rest string) string { return f.base + "/" + f.slug + "/" + rest }

// available tells whether the device can be reached.
func (f *face) available(online bool) {
	word := "offline"
	if online {
		word = "online"
	}
	f.retain(mqtt.Message{Topic: f.topic("availability"), Payload: []byte(word), QoS: 1})
}

// retain makes a message the truth, unless the device is not shown any more.
func (f *face) retain(messages ...mqtt.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range messages {
		if !f.gone {
			f.tell.retain(m)
		}
	}
}

// show tells a state, at most four times a second; the newest is always told
// in the end.
func (f *face) show(s player.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shown && s == f.state || f.gone {
		return
	}
	f.state, f.shown = s, true
	f.tellSoon()
}

// tellSoon tells the state when its turn comes. It wants mu held.
func (f *face) tellSoon() {
	if f.later != nil || f.gone {
		return
	}
	if wait := time.Second - time.Since(f.last[0]); wait > 0 {
		f.later = time.AfterFunc(wait, f.showLater)
		return
	}
	f.tellState()
}

func (f *face) showLater() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.later == nil || f.gone {
		return
	}
	f.later = nil
	f.tellState()
}

// tellState wants mu held.
func (f *face) tellState() {
	now := time.Now()
	copy(f.last[:], f.last[1:])
	f.last[3] = now
	doc := render(f.state, f.pairing, now).occupied(f.busy)
	for key, text := range doc.keys() {
		f.tell.retain(mqtt.Message{Topic: f.topic("state/" + key), Payload: []byte(text)})
	}
	f.tell.retain(mqtt.Message{Topic: f.topic("state"), Payload: encode(doc), QoS: 1})
}

// document is the state as it would be told now.
func (f *face) document() document {
	f.mu.Lock()
	defer f.mu.Unlock()
	return render(f.state, f.pairing, time.Now()).occupied(f.busy)
}

// close stops what would still be told.
func (f *face) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.later != nil && f.later.Stop() {
		f.tellState()
	}
	f.later = nil
}

// leave stops all that would still be retained: who has the topics now, or
// nobody, is not to be disturbed.
func (f *face) leave() {
	f.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
}

// artwork tells the cover of what is played; nil clears it.
func (f *face) artwork(jpeg []byte) {
	text := base64.StdEncoding.EncodeToString(jpeg)
	f.retain(mqtt.Message{Topic: f.topic("artwork"), Payload: jpeg},
		mqtt.Message{Topic: f.topic("artwork_base64"), Payload: []byte(text)})
}

// queue tells what waits to be played.
func (f *face) queue(items []player.Item) {
	type row struct {
		PlaybackID string  `json:"playback_id"`
		ContentID  *string `json:"media_content_id"`
		Title      *string `json:"media_title"`
	}
	rows := make([]row, len(items))
	for i, it := range items {
		rows[i] = row{it.PlaybackID, known(withoutSecrets(it.URL) + it.File), known(it.Title)}
	}
	f.retain(mqtt.Message{Topic: f.topic("queue"), Payload: encode(rows)})
}

// event tells that something happened.
func (f *face) event(e player.Event) {
	said := struct {
		Type       string   `json:"event_type"`
		PlaybackID string   `json:"playback_id,omitempty"`
		Reason     string   `json:"reason,omitempty"`
		Title      string   `json:"media_title,omitempty"`
		Error      *problem `json:"error,omitempty"`
	}{Type: e.Type, PlaybackID: e.PlaybackID, Reason: e.Reason, Title: e.Title}
	if e.Problem != (player.Problem{}) {
		said.Error = &problem{e.Problem.Code, e.Problem.Message}
	}
	f.tell.say(mqtt.Message{Topic: f.topic("event"), Payload: encode(said), QoS: 1})
}

// pressed tells what the speaker's buttons say.
func (f *face) pressed(r dacp.Remote) {
	said := struct {
		Type   string `json:"event_type"`
		Button string `json:"button"`
		Volume *int   `json:"volume,omitempty"`
		Busy   *bool  `json:"busy,omitempty"`
	}{Type: "remote", Button: r.Kind}
	switch r.Kind {
	case dacp.Volume:
		said.Volume = percent(r.Level)
	case dacp.Busy:
		said.Busy = &r.Busy
	}
	f.tell.say(mqtt.Message{Topic: f.topic("event"), Payload: encode(said), QoS: 1})
}

// A result answers a command.
type result struct {
	Command     string            `json:"command"`
	Status      string            `json:"status"` // accepted, ok, error
	ID          string            `json:"id"`
	Transaction json.RawMessage   `json:"transaction,omitempty"`
	Error       *problem          `json:"error,omitempty"`
	LatencyMS   *int64            `json:"latency_ms,omitempty"` // from message to answer
	Data        any               `json:"data,omitempty"`       // what was asked for
	Members     map[string]result `json:"members,omitempty"`    // of a command to all
}

func (f *face) result(r result) {
	f.tell.say(mqtt.Message{Topic: f.topic("result"), Payload: encode(r), QoS: 1})
}

// encode is json.Marshal for values of ours, which always can be.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("bridge: " + strconv.Quote(err.Error()))
	}
	return text
}
