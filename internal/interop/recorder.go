//go:build linux

package interop

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// A Recorder reads what a receiver plays out of a pipe, and when.
type Recorder struct {
	pipe  int
	early time.Duration // how long before it is to be heard a frame comes out

	mu    sync.Mutex
	pcm   Sound
	reads []read
}

// A read is one portion out of the pipe. The time is of the monotonic clock.
type read struct {
	end int // frames recorded, this portion included
	at  time.Time
}

// record makes the pipe and reads it until Close.
func record(path string) (*Recorder, error) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("interop: fifo %s: %w", path, err)
	}
	// Open for writing too, the pipe has no end when the receiver closes it.
	pipe, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("interop: fifo %s: %w", path, err)
	}
	widen(pipe)
	r := &Recorder{pipe: pipe}
	go r.run()
	return r, nil
}

// widen lets a pipe hold about six seconds of sound, so that a receiver never
// waits for a recorder that is late.
func widen(pipe int) {
	const setPipeSize, size = 1031, 1 << 20 // F_SETPIPE_SZ
	// Where the limit is lower, the usual size has to do.
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(pipe), setPipeSize, size)
}

// run reads for as long as the process lives, in a thread that comes before
// others: what is measured is when sound comes out, not when somebody looks.
func (r *Recorder) run() {
	runtime.LockOSThread()
	hasten()
	buf := make([]byte, 64<<10)
	kept := 0 // bytes of a frame that is not whole yet
	for {
		n, err := syscall.Read(r.pipe, buf[kept:])
		at := time.Now()
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		n += kept
		kept = n % 4
		r.add(parsePCM(buf[:n-kept]), at)
		copy(buf, buf[n-kept:n])
	}
}

// hasten puts the thread before all that is of the usual kind, if that is
// allowed.
func hasten() {
	const fifo = 1 // SCHED_FIFO
	priority := int32(10)
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, fifo, uintptr(unsafe.Pointer(&priority)))
}

func (r *Recorder) add(pcm Sound, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pcm = append(r.pcm, pcm...)
	r.reads = append(r.reads, read{end: len(r.pcm), at: at})
}

// Listen returns an ear that hears what is played from now on.
func (r *Recorder) Listen() *Ear {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &Ear{recorder: r, from: len(r.pcm)}
}

// Forget forgets what was recorded. No ear may be in use.
func (r *Recorder) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pcm, r.reads = nil, nil
}

// since returns what was recorded from a frame on.
func (r *Recorder) since(frame int) Sound {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pcm[frame:len(r.pcm):len(r.pcm)]
}

// at is when a recorded frame was to be heard, by when it came out.
func (r *Recorder) at(frame int) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := slices.BinarySearchFunc(r.reads, frame+1, func(a read, end int) int { return a.end - end })
	return r.reads[i].at.Add(r.early)
}

// An Ear hears what a receiver plays from the moment it began to listen.
type Ear struct {
	recorder *Recorder
	from     int
}

// Heard is how a sound came out of a receiver.
type Heard struct {
	Sound   Sound
	Started time.Time // when its first frame came out
	Ended   time.Time // when its last one did

	recorder *Recorder
	first    int // where it lies in the recording
}

// At is when a frame of the sound came out.
func (h Heard) At(frame int) time.Time { return h.recorder.at(h.first + frame) }

// Line is when the first frame was due, judged by all of them: the median over
// the packets, which a busy machine that reads one of them late does not move.
func (h Heard) Line() time.Time {
	const packet = 352
	var offsets []time.Duration
	for i := 0; i < len(h.Sound); i += packet {
		due := time.Duration(i) * time.Second / rate
		offsets = append(offsets, h.At(i).Sub(h.Started)-due)
	}
	slices.Sort(offsets)
	return h.Started.Add(offsets[len(offsets)/2])
}

// Jitter is by how much the latest packet came out later than the line.
func (h Heard) Jitter() time.Duration {
	const packet = 352
	var worst time.Duration
	line := h.Line()
	for i := 0; i < len(h.Sound); i += packet {
		worst = max(worst, h.At(i).Sub(line)-time.Duration(i)*time.Second/rate)
	}
	return worst
}

// Hear waits until the whole sound has come out, every frame of it and nothing
// between, and says when. It fails the test if it came out otherwise, or not
// within its duration and patience.
func (e *Ear) Hear(t testing.TB, want Sound, tol Tolerance) Heard {
	t.Helper()
	at, n := e.wait(want, tol)
	if n < len(want) {
		pcm := e.recorder.since(e.from)
		if tol == Exactly {
			t.Fatalf("of %d frames were heard: %s", len(want), Describe(Runs(pcm, want), want))
		}
		t.Fatalf("of %d frames were heard %d from %d on, in %d frames of recording", len(want), n, at, len(pcm))
	}
	first := e.from + at
	return Heard{
		Sound: want, Started: e.recorder.at(first), Ended: e.recorder.at(first + len(want) - 1),
		recorder: e.recorder, first: first,
	}
}

// wait returns where the sound lies after e.from, and how much of it is there
// once it is whole, differs, or is not to be expected any more.
func (e *Ear) wait(want Sound, tol Tolerance) (at, n int) {
	deadline := time.Now().Add(want.Duration() + patience)
	at = -1
	first := max(loud(want), 0)
	for searched := 0; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		pcm := e.recorder.since(e.from)
		if at < 0 {
			if at = Find(pcm[searched:], want, tol); at < 0 {
				// The last frames may be a beginning whose rest is to come.
				searched = max(searched, len(pcm)-first-needle)
				continue
			}
			at += searched
		}
		n += Compare(pcm[at+n:], want[n:], tol)
		if n == len(want) || n < len(pcm)-at {
			return at, n
		}
	}
	return at, n
}

// HearBeginning waits until the first frames of a sound have come out, and
// says when. Silence that it begins with does not count.
func (e *Ear) HearBeginning(t testing.TB, want Sound, tol Tolerance) Heard {
	t.Helper()
	return e.Hear(t, want[:min(len(want), max(loud(want), 0)+2*needle)], tol)
}

// Runs takes to pieces what was heard until now.
func (e *Ear) Runs(want Sound) []Run { return Runs(e.recorder.since(e.from), want) }

// Recorded is what was heard until now.
func (e *Ear) Recorded() Sound { return e.recorder.since(e.from) }

// At is when a frame of it came out.
func (e *Ear) At(frame int) time.Time { return e.recorder.at(e.from + frame) }

// FirstLoud is when something other than silence was heard first; ok is false
// if nothing was.
func (e *Ear) FirstLoud() (at time.Time, ok bool) {
	i := loud(e.recorder.since(e.from))
	if i < 0 {
		return time.Time{}, false
	}
	return e.recorder.at(e.from + i), true
}

// LastLoud is when something other than silence was heard last; ok is false
// if nothing was.
func (e *Ear) LastLoud() (at time.Time, ok bool) {
	pcm := e.recorder.since(e.from)
	for i := len(pcm) - 1; i >= 0; i-- {
		if loud(pcm[i:i+1]) == 0 {
			return e.recorder.at(e.from + i), true
		}
	}
	return time.Time{}, false
}
