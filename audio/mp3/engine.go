package mp3

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	gomp3 "github.com/hajimehoshi/go-mp3"
)

// An engine decodes frames one by one by hajimehoshi/go-mp3. That library wants
// to read a file and stops at the first frame it does not like; so it reads
// what the packer made, one frame at a time, and after an error or a panic it
// begins anew with the next.
type engine struct {
	decoder *gomp3.Decoder // nil: begins with the next frame
	feed    feed
	pcm     [1152 * 4]byte
}

// A feed is the file that the library reads. It is no io.Seeker, or the library
// would walk it.
type feed struct{ data []byte }

func (f *feed) Read(p []byte) (int, error) {
	if len(f.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	return n, nil
}

// decode appends the samples of one frame to dst.
func (e *engine) decode(dst [][2]float32, data []byte, samples int) (_ [][2]float32, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("go-mp3: %v", r)
		}
		if err != nil {
			e.decoder = nil
		}
	}()
	e.feed.data = data
	if e.decoder == nil {
		if e.decoder, err = gomp3.NewDecoder(&e.feed); err != nil {
			return dst, err
		}
	}
	pcm := e.pcm[:4*samples]
	if _, err := io.ReadFull(e.decoder, pcm); err != nil {
		return dst, err
	}
	done := len(dst)
	dst = slices.Grow(dst, samples)[:done+samples]
	for i := range dst[done:] {
		v := binary.LittleEndian.Uint32(pcm[4*i:])
		dst[done+i] = [2]float32{sample(int16(v)), sample(int16(v >> 16))}
	}
	return dst, nil
}

// sample undoes what the library does to its floats: it multiplies by 32767 and
// cuts off the fraction. The middle of what a value may have been is nearer to
// it, by 6 dB, than its end; full scale and silence stay what they are.
func sample(v int16) float32 {
	switch {
	case v == math.MaxInt16 || v == 0 || v == -math.MaxInt16:
		return float32(v) / math.MaxInt16
	case v < 0:
		return (float32(v) - 0.5) / math.MaxInt16
	}
	return (float32(v) + 0.5) / math.MaxInt16
}

// reset makes the engine forget everything.
func (e *engine) reset() { e.decoder = nil }
