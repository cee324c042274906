package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

// A rival is another bridge with our base topic on our broker: each obeys the
// commands that are meant for the other, and says that the other's devices are
// what it knows of them. We know of one because we hear its bridge/info, and have
// it know of us by saying ours once more.

const (
	// rivalPause is how long we wait before we say it again.
	rivalPause = time.Minute
	// rivalDelay is how long we wait before we say it at first: one that has just
	// connected says what it is before it hears what others are.
	rivalDelay = 3 * time.Second
	// rivalGone is after what silence a rival is taken to have ended.
	rivalGone = 3*rivalPause + 10*time.Second
	// longestInfo is how much of an info is read.
	longestInfo = 256 << 10
)

// rivalry is what the switchboard knows of rivals.
type rivalry struct {
	heard time.Time // when there was one last; zero: never
	tell  time.Time // when we make ourselves known; zero: we have
	told  time.Time // when we did last
}

// hearInfo takes the info of any bridge with our base topic, our own among them,
// on the client's goroutine.
func (b *Bridge) hearInfo(m mqtt.Message) {
	if m.Retain || m.Oversize > 0 || len(m.Payload) > longestInfo {
		return // what is kept may be of a bridge that has ended
	}
	var other struct {
		Instance  string `json:"instance"`
		Host      string `json:"host"`
		Version   string `json:"version"`
		StartedAt string `json:"started_at"`
	}
	if json.Unmarshal(m.Payload, &other) != nil || other.Instance == "" || other.Instance == b.instance {
		return
	}
	why := fmt.Errorf("another bridge (version %s on %s, since %s) has the base topic %q on this broker, and both obey all commands; end one of them, or give it another mqtt.base_topic",
		excerpt(other.Version), excerpt(other.Host), excerpt(other.StartedAt), b.cfg.MQTT.BaseTopic)
	select {
	case b.calls <- func() { b.meetRival(why, time.Now()) }:
	default: // it will be heard again
	}
}

// excerpt is a foreign text as it may stand in a sentence of ours.
func excerpt(s string) string {
	const most = 80
	if s = oneLine(s); len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func (b *Bridge) meetRival(why error, now time.Time) {
	b.rivals.heard = now
	b.trouble("rival", "base_topic_shared", why)
	if b.rivals.tell.IsZero() {
		b.rivals.tell = now.Add(rivalDelay)
		if next := b.rivals.told.Add(rivalPause); next.After(b.rivals.tell) {
			b.rivals.tell = next
		}
	}
}

// watchRivals makes us known to rivals, and notices that there is none any more.
func (b *Bridge) watchRivals(now time.Time) {
	if at := b.rivals.tell; !at.IsZero() && now.After(at) {
		b.rivals.tell, b.rivals.told = time.Time{}, now
		info := b.info()
		info.Retain = true
		b.tell.say(info)
	}
	if heard := b.rivals.heard; !heard.IsZero() && now.Sub(heard) > rivalGone {
		b.rivals = rivalry{}
		b.trouble("rival", "base_topic_shared", nil)
	}
}

// watchNames says which devices have one name: people do not know which of them
// they mean, and their topics are numbered.
func (b *Bridge) watchNames() {
	const kind = "name of "
	same := map[string][]string{}
	for _, d := range b.devices {
		name := strings.ToLower(d.name())
		same[name] = append(same[name], d.slug())
	}
	for name, slugs := range same {
		if len(slugs) < 2 {
			delete(same, name)
			continue
		}
		slices.Sort(slugs)
		b.trouble(kind+name, "same_name", fmt.Errorf("%s are all called %q; rename one (bridge/request/device/rename), or remove that which is no more (device/remove)",
			strings.Join(slugs, " and "), name))
	}
	for key := range maps.Clone(b.problems) {
		if name, ok := strings.CutPrefix(key, kind); ok && same[name] == nil {
			b.trouble(key, "same_name", nil)
		}
	}
}
