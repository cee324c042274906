package bridge

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// vitalsEvery is how often it is written down how the program is, for those
// who look for a leak.
const vitalsEvery = 5 * time.Second

// noteVitals writes to the log how many goroutines there are, and how much
// memory the last collection of garbage has left.
func (b *Bridge) noteVitals(now time.Time) {
	if now.Before(b.vitalsAt) {
		return
	}
	if b.vitalsAt.IsZero() {
		debug.FreeOSMemory() // what starting has left behind, a tenth of all, is not kept
	}
	b.vitalsAt = now.Add(vitalsEvery)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	var heap uint64
	if live[0].Value.Kind() == metrics.KindUint64 {
		heap = live[0].Value.Uint64()
	}
	b.log.Debug().Int("goroutines", runtime.NumGoroutine()).Uint64("heap", heap).Msg("vitals")
}
