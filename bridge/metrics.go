package bridge

import (
	"slices"
	"strconv"
	"strings"

	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/web"
)

// A measured device is what /metrics tells of one.
type measured struct {
	slug          string
	online        bool
	played        player.Counts
	sent          sent
	sessions      int
	dials, failed int64
}

// measure looks at everything that is counted. Who counts does not wait for it.
func (b *Bridge) measure() []web.Metric {
	var devices []measured
	commands := 0
	if b.ask(b.living, func() {
		commands = b.commands
		for _, d := range b.devices {
			m := measured{slug: d.slug(), online: d.online, played: d.player.Counts(), dials: d.counts.dials.Load(), failed: d.counts.failed.Load()}
			m.sent, m.sessions = d.counts.sum()
			devices = append(devices, m)
		}
	}) != nil {
		return nil
	}
	slices.SortFunc(devices, func(a, b measured) int { return strings.Compare(a.slug, b.slug) })
	return append(b.measureUs(commands), measureDevices(devices)...)
}

// measureUs is what concerns the bridge as a whole.
func (b *Bridge) measureUs(commands int) []web.Metric {
	return []web.Metric{
		{Name: "airplay2mqtt_info", Kind: "gauge", Help: "The version that runs.", Samples: []web.Sample{
			{Labels: []string{"version", b.about.Version, "commit", b.about.Commit}, Value: 1},
		}},
		web.Counted("airplay2mqtt_start_time_seconds", "gauge", "When the bridge began, in seconds since 1970.", float64(b.started.UnixMilli())/1000),
		web.Counted("airplay2mqtt_broker_connected", "gauge", "1 while there is a connection to the broker.", truth(b.client.Connected())),
		web.Counted("airplay2mqtt_broker_reconnects_total", "counter", "Connections to the broker after the first.", float64(b.client.Reconnects())),
		web.Counted("airplay2mqtt_commands_total", "counter", "Commands that were heard.", float64(commands)),
	}
}

func truth(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

// measureDevices is what concerns each device.
func measureDevices(devices []measured) []web.Metric {
	list := []web.Metric{}
	for _, row := range []struct {
		name, kind, help string
		value            func(m measured) float64
	}{
		{"device_online", "gauge", "1 while the device can be reached.", func(m measured) float64 { return truth(m.online) }},
		{"streams", "gauge", "Streams of sound that are under way.", func(m measured) float64 { return float64(m.played.Sounding) }},
		{"streams_total", "counter", "Streams of sound that were begun.", func(m measured) float64 { return float64(m.played.Streams) }},
		{"stream_packets_total", "counter", "Packets that were due.", func(m measured) float64 { return float64(m.played.Packets) }},
		{"stream_late_total", "counter", "Packets that were sent more than 20 ms after they were due.", func(m measured) float64 { return float64(m.played.Late) }},
		{"stream_underruns_total", "counter", "Times a source had nothing when it was due.", func(m measured) float64 { return float64(m.played.Underruns) }},
		{"stream_silence_seconds_total", "counter", "Silence that was sent because a source had nothing.", func(m measured) float64 { return m.played.Inserted.Seconds() }},
		{"stream_restarts_total", "counter", "Times a stream began anew because this machine stood still.", func(m measured) float64 { return float64(m.played.Restarts) }},
		{"sessions", "gauge", "Sessions that are open.", func(m measured) float64 { return float64(m.sessions) }},
		{"sent_packets_total", "counter", "Packets that were sent for the first time.", func(m measured) float64 { return float64(m.sent.packets) }},
		{"sent_late_total", "counter", "Packets that were not sent, because their time had passed.", func(m measured) float64 { return float64(m.sent.late) }},
		{"send_errors_total", "counter", "Packets that the network refused.", func(m measured) float64 { return float64(m.sent.refused) }},
		{"resend_requests_total", "counter", "Packets that the device asked for again.", func(m measured) float64 { return float64(m.sent.asked) }},
		{"retransmits_total", "counter", "Packets that were sent again, asked for or not.", func(m measured) float64 { return float64(m.sent.resent + m.sent.copies) }},
		{"dials_total", "counter", "Tries to open a session.", func(m measured) float64 { return float64(m.dials) }},
		{"dial_failures_total", "counter", "Of these, tries that failed.", func(m measured) float64 { return float64(m.failed) }},
	} {
		metric := web.Metric{Name: "airplay2mqtt_" + row.name, Kind: row.kind, Help: row.help}
		for _, m := range devices {
			metric.Samples = append(metric.Samples, web.Sample{Labels: []string{"device", m.slug}, Value: row.value(m)})
		}
		list = append(list, metric)
	}
	return append(list, promptness(devices))
}

// promptness is how soon after a command its first packet leaves.
func promptness(devices []measured) web.Metric {
	metric := web.Metric{Name: "airplay2mqtt_first_packet_seconds", Kind: "histogram",
		Help: "From a command to the first packet of its sound, opening and dialling included."}
	for _, m := range devices {
		sum := int64(0)
		for i, n := range m.played.Prompt.Classes {
			sum += n
			bound := "+Inf"
			if i < len(player.Bounds) {
				bound = strconv.FormatFloat(player.Bounds[i].Seconds(), 'g', -1, 64)
			}
			metric.Samples = append(metric.Samples, web.Sample{Suffix: "_bucket", Labels: []string{"device", m.slug, "le", bound}, Value: float64(sum)})
		}
		metric.Samples = append(metric.Samples,
			web.Sample{Suffix: "_sum", Labels: []string{"device", m.slug}, Value: m.played.Prompt.Sum.Seconds()},
			web.Sample{Suffix: "_count", Labels: []string{"device", m.slug}, Value: float64(sum)})
	}
	return metric
}
