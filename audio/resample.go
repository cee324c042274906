package audio

import (
	"fmt"
	"io"
)

// Resample makes a source of another rate. It is a [Seeker] if src is one, and
// then frame n is the very same whether it was sought or read up to. The
// result takes src over. If src has the rate already, it is returned as it is.
//
// What the new rate cannot hold is taken away (100 dB), what it can is kept:
// from 48000 to 44100, up to 20 kHz. Nothing is shifted in time: frame n is
// what was to be heard n/rate seconds after the beginning, and the last frame
// is the last that begins before the end of src.
func Resample(src Source, rate int) Source {
	if src.Rate() == rate {
		return src
	}
	if !usual(src.Rate()) || !usual(rate) {
		return &silent{Source: src, rate: rate, err: fmt.Errorf("audio: resample %d Hz to %d Hz: %w",
			src.Rate(), rate, ErrUnsupported)}
	}
	r := newResampler(src, rate)
	if s, ok := src.(Seeker); ok {
		return &seekingResampler{resampler: r, src: s}
	}
	return r
}

// usual tells whether a rate is one that sound has. Below, the filter knows no
// bounds.
func usual(rate int) bool { return rate >= 1000 && rate <= 1_000_000 }

// silent is a source that only says why it has nothing.
type silent struct {
	Source
	rate int
	err  error
}

func (s *silent) Rate() int                 { return s.rate }
func (s *silent) Read([]Frame) (int, error) { return 0, s.err }

// resampler computes output frame n as the inner product of the input around
// time n*down/up (in frames of the input) with the filter for the fraction.
type resampler struct {
	src      Source
	rate     int
	up, down int64 // rate / src.Rate(), in lowest terms
	bank     *bank

	// Where the next output frame lies: between input frames at and at+1, phase
	// up-ths of the way. It is output frame n.
	n, at, phase int64
	step         int64 // down / up
	left         int64 // down % up

	buf   []Frame // input frames
	first int64   // which one buf[0] is
	end   int64   // how many output frames there are, once that is known; else -1
	err   error   // that of src, once it has one
}

const readAtOnce = 1024

func newResampler(src Source, rate int) *resampler {
	d := gcd(int64(src.Rate()), int64(rate))
	r := &resampler{src: src, rate: rate, up: int64(rate) / d, down: int64(src.Rate()) / d}
	r.bank = bankFor(int(r.up), int(r.down))
	r.step, r.left = r.down/r.up, r.down%r.up
	r.buf = make([]Frame, 0, 2*r.bank.taps+2*readAtOnce)
	r.begin(0)
	return r
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// begin makes frame n the next to be read and tells from which input frame on
// src must be read for that.
func (r *resampler) begin(n int64) (from int64) {
	r.n, r.err, r.end = n, nil, -1
	r.at, r.phase = n*r.down/r.up, n*r.down%r.up
	r.first = r.at - int64(r.bank.before)
	from = max(r.first, 0)
	r.buf = r.buf[:from-r.first] // silence before the beginning
	clear(r.buf)
	return from
}

func (r *resampler) Rate() int    { return r.rate }
func (r *resampler) Close() error { return r.src.Close() }

// Len is in frames of the new rate, -1 where it is not known.
func (r *resampler) Len() int64 { return r.length(length(r.src)) }

// length is how many output frames begin before input frame n does.
func (r *resampler) length(n int64) int64 {
	if n < 0 {
		return -1
	}
	whole, rest := n/r.down, n%r.down // n*up may not fit
	return whole*r.up + (rest*r.up+r.down-1)/r.down
}

func (r *resampler) Read(p []Frame) (n int, err error) {
	for n < len(p) {
		n += r.compute(p[n:])
		if n == len(p) {
			break
		}
		if r.err == nil {
			r.err = r.fill()
			continue
		}
		err = r.err
		if err != io.EOF {
			r.err = nil // the next Read asks src again
		}
		break
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// compute makes as many frames as there is input for.
func (r *resampler) compute(p []Frame) int {
	if r.end >= 0 {
		p = p[:max(0, min(int64(len(p)), r.end-r.n))]
	}
	n, taps, i := 0, r.bank.taps, int(r.at-r.first)-r.bank.before
	for n < len(p) && i+taps <= len(r.buf) {
		p[n] = r.bank.at(r.buf[i:i+taps], int(r.phase))
		n++
		i += int(r.step)
		r.phase += r.left
		if r.phase >= r.up {
			r.phase -= r.up
			i++
		}
	}
	r.n += int64(n)
	r.at = r.first + int64(i+r.bank.before)
	return n
}

// fill reads more input, or puts silence behind its end.
func (r *resampler) fill() error {
	if used := min(int(r.at-r.first)-r.bank.before, len(r.buf)); used > 0 {
		r.buf = r.buf[:copy(r.buf, r.buf[used:])]
		r.first += int64(used)
	}
	have := len(r.buf)
	n, err := readSome(r.src, r.buf[have:min(have+readAtOnce, cap(r.buf)-r.bank.taps)])
	r.buf = r.buf[:have+n]
	if err == io.EOF {
		r.end = r.length(r.first + int64(len(r.buf)))
		have = len(r.buf)
		r.buf = r.buf[:have+r.bank.taps]
		clear(r.buf[have:])
	}
	return err
}

// seekingResampler is a resampler whose source can be sought.
type seekingResampler struct {
	*resampler
	src Seeker
}

// Seekable tells what the source tells.
func (r *seekingResampler) Seekable() bool { return seekable(r.src) }

func (r *seekingResampler) SeekFrame(n int64) error {
	if n < 0 {
		return fmt.Errorf("audio: seek to frame %d", n)
	}
	if size := r.Len(); size >= 0 {
		n = min(n, size)
	}
	from := r.begin(n)
	if size := r.src.Len(); size >= 0 && from > size { // the filter is wider than what is left
		r.first, r.buf = size, r.buf[:0]
		from = size
	}
	return r.src.SeekFrame(from)
}

// length is how many frames src has, if it tells, or -1.
func length(src Source) int64 {
	if s, ok := src.(interface{ Len() int64 }); ok {
		return s.Len()
	}
	return -1
}

// readSome is src.Read that gives frames or an error, not neither.
func readSome(src Source, p []Frame) (n int, err error) {
	for range 100 {
		if n, err = src.Read(p); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
