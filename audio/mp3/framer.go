package mp3

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"airplay2mqtt/audio/tags"
)

// maxGarbage is how many bytes without a frame are searched for the next.
const maxGarbage = 4 << 20

// maxTagged is how many bytes of tags may stand between two frames. One tag may
// have half of that.
const maxTagged = 512 << 20

// A framer finds the frames of a stream among tags and garbage. What looks like
// a header is one if it stands where the frame before it ends, or if others
// like it follow.
type framer struct {
	in     *input
	like   header // what the headers of this stream have in common; 0: not known yet
	inStep bool   // the last frame ended where the input stands, or tags did
	lost   int    // bytes of garbage since the last frame
	tagged int64  // bytes of tags since the last frame
}

// A frame is one frame of Layer III.
type frame struct {
	header
	data []byte // with the header; valid until the next frame is read
	next []byte // the beginning of what follows, as much as there is
	cut  bool   // what stood before it is missing
}

// next returns the next frame. At the end it returns io.EOF, or what the reader
// failed with.
func (f *framer) next() (frame, error) {
	for {
		b := f.in.peek(tagHead)
		if len(b) < 4 {
			return frame{}, f.in.err
		}
		if n := tagSize(b); n > 0 && f.tagged < maxTagged {
			f.tagged += n
			if err := f.in.skip(n); err != nil {
				return frame{}, err
			}
			continue
		}
		h, ok := parseHeader(b)
		if ok && f.trust(h) {
			return f.take(h), nil
		}
		if err := f.unsupported(h, ok); err != nil {
			return frame{}, err
		}
		if f.skipGarbage(); f.lost > maxGarbage {
			return frame{}, fmt.Errorf("%w: no frame in %d bytes", ErrFormat, f.lost)
		}
	}
}

// take consumes the frame whose header the input stands at. The last frame of a
// truncated stream is filled up with zeros.
func (f *framer) take(h header) frame {
	b := f.in.peek(h.size() + maxSide)
	fr := frame{header: h, cut: f.lost > 0}
	fr.data, fr.next = b[:min(h.size(), len(b))], b[min(h.size(), len(b)):]
	f.in.drop(len(fr.data))
	if missing := h.size() - len(fr.data); missing > 0 {
		fr.data = append(fr.data[:len(fr.data):len(fr.data)], make([]byte, missing)...)
	}
	f.like, f.inStep, f.lost, f.tagged = h, true, 0, 0
	return fr
}

// following is the frame behind f, as far as its side information; false if there
// is none. Of its data there is no more.
func (f *frame) following() (frame, bool) {
	h, ok := parseHeader(f.next)
	ok = ok && h.agrees(f.header) && h.playable() && len(f.next) >= h.mainStart()
	return frame{header: h, data: f.next}, ok
}

// maxSide is where the main data of a frame begin at the latest.
const maxSide = 4 + 2 + 32

// trust tells whether h, which looks like a header, is one. In step, it has to
// be like the others. Out of step, another like it must follow; and at the
// beginning and where the rate changes, two.
func (f *framer) trust(h header) bool {
	if !h.playable() {
		return false
	}
	known := f.like != 0 && h.agrees(f.like)
	switch {
	case known && f.inStep:
		return f.whole(h)
	case known:
		return f.followed(h, 1)
	}
	return f.followed(h, 2)
}

// whole tells whether there is enough of a frame to be worth decoding.
func (f *framer) whole(h header) bool {
	return len(f.in.peek(h.size())) > h.mainStart()
}

// followed tells whether behind the frame of h there are so many more of its
// kind. A stream may end before, but not within its first frame; and a tag may
// stand there.
func (f *framer) followed(h header, count int) bool {
	first, at := h, 0
	for range count {
		at += h.size()
		b := f.in.peek(at + tagHead)
		if len(b) < at+4 {
			return len(b) >= at && (f.lost == 0 || at > first.size())
		}
		if tagSize(b[at:]) > 0 {
			return true
		}
		next, ok := parseHeader(b[at:])
		if !ok || !next.agrees(first) || next.bitrateIndex() == 0 {
			return false
		}
		h = next
	}
	return true
}

// skipGarbage goes on to the next byte that may begin something.
func (f *framer) skipGarbage() {
	f.inStep = false
	b := f.in.buf[1:]
	n := bytes.IndexByte(b, 0xff)
	if n < 0 {
		n = max(len(b)-tagHead, 0)
	}
	if i := bytes.Index(b[:min(n+3, len(b))], []byte("ID3")); i >= 0 {
		n = i
	}
	f.in.drop(n + 1)
	f.lost += n + 1
}

// unsupported recognizes a stream that is fine and not for us, as long as no
// frame was found.
func (f *framer) unsupported(h header, ok bool) error {
	if !ok || f.like != 0 || h.playable() {
		return nil
	}
	found := h.bitrateIndex() != 0 && f.followed(h, 2) ||
		h.bitrateIndex() == 0 && f.lost == 0 && f.freeFormat(h)
	if found {
		return &CodecError{Name: h.String()}
	}
	return nil
}

// freeFormat tells whether two more headers without a bit rate follow, all at
// the same distance.
func (f *framer) freeFormat(h header) bool {
	const longest = 4608
	b := f.in.peek(2*longest + 8)
	at := func(i int) bool {
		next, ok := parseHeader(b[min(i, len(b)):])
		return ok && next.agrees(h) && next.bitrateIndex() == 0
	}
	for n := 24; n <= longest && n < len(b); n++ {
		if at(n) && (at(2*n-1) || at(2*n) || at(2*n+1)) {
			return true
		}
	}
	return false
}

// tagHead is how many bytes tagSize needs to know every tag.
const tagHead = 32

// tagSize is how many bytes the tag has that b begins with, 0 if it is none.
func tagSize(b []byte) int64 {
	switch {
	case bytes.HasPrefix(b, []byte("ID3")):
		n, _ := tags.ID3Size(b)
		return n
	case bytes.HasPrefix(b, []byte("TAG+")):
		return 227
	case bytes.HasPrefix(b, []byte("TAG")):
		return tags.ID3v1Size
	case bytes.HasPrefix(b, []byte("APETAGEX")) && len(b) >= 32:
		n := int64(32)
		if flags := binary.LittleEndian.Uint32(b[20:]); flags&(1<<29) != 0 { // at its beginning
			n += int64(binary.LittleEndian.Uint32(b[12:]))
		}
		return n
	}
	return 0
}
