package loudness_test

import (
	"syscall"
	"testing"
	"time"
)

const benchRate = 44100

// processor is how long this process has computed. Speeds by it mean one core,
// and hold on a machine that does other things too.
func processor() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// report tells how many times faster than real time so many frames went.
func report(b *testing.B, frames int, begun time.Duration) {
	seconds := float64(frames) / benchRate
	b.ReportMetric(seconds/b.Elapsed().Seconds(), "x-realtime")
	b.ReportMetric(seconds/(processor()-begun).Seconds(), "x-of-one-core")
}

// BenchmarkMeter measures speech-like sound, of which most is far below the
// highest peak, and the worst there is: a tone, of which no stretch is.
func BenchmarkMeter(b *testing.B) {
	for name, frames := range map[string][][2]float32{
		"gusts": gusts(benchRate, 10), "tone": tone(benchRate, 10, 997, 0.5),
	} {
		b.Run(name, func(b *testing.B) {
			m := meter(b, benchRate)
			n, begun := 0, processor()
			b.ReportAllocs()
			for b.Loop() {
				m.Add(frames)
				n += len(frames)
			}
			report(b, n, begun)
		})
	}
}

// BenchmarkMeterWithoutTruePeak is what loudness alone costs: after one click
// that is much louder than the rest, no peak is looked at closely.
func BenchmarkMeterWithoutTruePeak(b *testing.B) {
	frames := tone(benchRate, 10, 997, 0.25)
	m := meter(b, benchRate)
	m.Add([][2]float32{{1, 1}})
	n, begun := 0, processor()
	b.ReportAllocs()
	for b.Loop() {
		m.Add(frames)
		n += len(frames)
	}
	report(b, n, begun)
}

func BenchmarkLimiter(b *testing.B) {
	for name, amplitude := range map[string]float64{"quiet": 0.25, "near": 0.85, "limiting": 2} {
		b.Run(name, func(b *testing.B) {
			frames := tone(benchRate, 10, 997, amplitude)
			l := limiter(b, benchRate, -1)
			p := make([][2]float32, 352)
			n, begun := 0, processor()
			b.ReportAllocs()
			for b.Loop() {
				at := n % (len(frames) - len(p))
				copy(p, frames[at:])
				n += l.Process(p)
			}
			report(b, n, begun)
		})
	}
}

func BenchmarkReading(b *testing.B) {
	m := meter(b, benchRate)
	m.Add(gusts(benchRate, 10))
	for b.Loop() {
		m.Reading()
	}
}
