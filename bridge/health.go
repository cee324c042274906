package bridge

import (
	"maps"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

// Health is how the bridge is: what <base>/bridge/health tells each minute. What
// is counted is counted since the program began.
type Health struct {
	At         string          `json:"at"`
	Uptime     int64           `json:"uptime_seconds"`
	Memory     uint64          `json:"memory_bytes"` // taken from the system
	Heap       uint64          `json:"heap_bytes"`   // of it, in use
	Goroutines int             `json:"goroutines"`
	Reconnects int             `json:"broker_reconnects"`
	Commands   int             `json:"commands"` // that were heard
	Devices    []DeviceHealth  `json:"devices"`
	Problems   []HealthProblem `json:"problems"` // what somebody should look after
}

// DeviceHealth is how it goes with one device.
type DeviceHealth struct {
	Device     string   `json:"device"`
	Available  bool     `json:"available"`
	Session    bool     `json:"session"` // there is one
	State      string   `json:"state"`
	Dials      int64    `json:"dials"`
	DialErrors int64    `json:"dial_errors"`
	Underruns  int64    `json:"underruns"` // times that a source was too slow
	Packets    uint64   `json:"packets"`
	Late       uint64   `json:"late_packets"`    // not sent, because their time had passed
	Refused    uint64   `json:"refused_packets"` // not sent, because the network said no
	Asked      uint64   `json:"asked_again"`     // packets that the device asked for again
	Resent     uint64   `json:"retransmits"`     // asked for or not
	Streams    int64    `json:"streams"`         // that were begun
	Prompt     *float64 `json:"first_packet_ms"` // from a command to the first packet of its sound, on average; null: none was
	LastError  *problem `json:"last_error"`
}

// A HealthProblem is something that somebody should look after: a stable word,
// and a sentence that says what to do.
type HealthProblem = problem

// healthEvery is how often it is told.
const healthEvery = time.Minute

// condition is how the bridge is, on the switchboard.
func (b *Bridge) condition(now time.Time) Health {
	memory, heap := memoryInUse()
	h := Health{
		At:         now.UTC().Format(stamp),
		Uptime:     int64(now.Sub(b.started).Seconds()),
		Memory:     memory,
		Heap:       heap,
		Goroutines: runtime.NumGoroutine(),
		Reconnects: b.client.Reconnects(),
		Commands:   b.commands,
		Devices:    []DeviceHealth{},
		Problems:   []HealthProblem{},
	}
	for _, d := range b.devices {
		if !d.isGroup() {
			h.Devices = append(h.Devices, d.health())
		}
	}
	slices.SortFunc(h.Devices, func(a, b DeviceHealth) int { return strings.Compare(a.Device, b.Device) })
	for _, key := range slices.Sorted(maps.Keys(b.problems)) {
		h.Problems = append(h.Problems, b.problems[key])
	}
	return h
}

// memoryInUse is what the program has from the system, and what of it objects take.
// The world is not stopped for it: something is playing.
func memoryInUse() (all, heap uint64) {
	read := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(read)
	for _, sample := range read {
		if sample.Value.Kind() != metrics.KindUint64 {
			return 0, 0 // another version of Go calls it otherwise
		}
	}
	return read[0].Value.Uint64() - read[1].Value.Uint64(), read[2].Value.Uint64()
}

func (d *device) health() DeviceHealth {
	doc, played := d.face.document(), d.player.Counts()
	all, open := d.counts.sum()
	h := DeviceHealth{
		Device:     d.slug(),
		Available:  d.online,
		Session:    open > 0,
		State:      doc.State,
		Dials:      d.counts.dials.Load(),
		DialErrors: d.counts.failed.Load(),
		Streams:    played.Streams,
		Underruns:  played.Underruns,
		Packets:    all.packets,
		Late:       all.late,
		Refused:    all.refused,
		Asked:      all.asked,
		Resent:     all.resent + all.copies,
		LastError:  doc.LastError,
	}
	if n := played.Prompt.Count(); n > 0 {
		ms := round(played.Prompt.Sum.Seconds()*1000/float64(n), 1)
		h.Prompt = &ms
	}
	return h
}

// tellHealth tells it, each minute and when there is another problem.
func (b *Bridge) tellHealth(now time.Time) {
	b.healthAt = now.Add(healthEvery)
	b.tell.retain(mqtt.Message{Topic: b.cfg.MQTT.BaseTopic + "/bridge/health", Payload: encode(b.condition(now))})
}

// trouble notes what somebody should look after, and says it once; nil: it is
// well again. key tells one from another of its kind.
func (b *Bridge) trouble(key, code string, err error) {
	was, known := b.problems[key]
	if err == nil {
		if known {
			delete(b.problems, key)
			b.log.Info().Str("code", code).Msg("it is well again: " + was.Message)
			b.healthAt = time.Time{}
		}
		return
	}
	p := problem{code, oneLine(err.Error())}
	b.problems[key] = p
	if !known || was != p {
		b.log.Warn().Str("code", code).Msg(p.Message)
		b.healthAt = time.Time{}
	}
}
