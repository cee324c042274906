package audio_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"airplay2mqtt/audio"
)

// processor is how long this process has computed. Speeds by it mean one core,
// and hold on a machine that does other things too.
func processor() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkResample(b *testing.B) {
	for _, rate := range []int{48000, 96000, 192000, 22050, 8000, 47999} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			src := &pcm{rate: rate, frames: tone(rate, 1000, 0.5, rate)}
			r := audio.Resample(src, audio.Rate)
			p := make([]audio.Frame, 1024)
			frames, begun := 0, processor()
			b.ReportAllocs()
			for b.Loop() {
				n, _ := r.Read(p)
				frames += n
				if src.next > len(src.frames)-4096 {
					src.next = 0
				}
			}
			b.ReportMetric(float64(frames)/audio.Rate/b.Elapsed().Seconds(), "x-realtime")
			b.ReportMetric(float64(frames)/audio.Rate/(processor()-begun).Seconds(), "x-of-one-core")
		})
	}
}

func BenchmarkResampleOpens(b *testing.B) {
	for _, rate := range []int{48000, 96000, 8000, 47999} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			for b.Loop() {
				audio.Resample(&pcm{rate: rate}, audio.Rate)
			}
		})
	}
}
