package mediaserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

const (
	fragmentMost = 64 << 20 // bytes
	headerMost   = 4 << 20
)

var errFragment = errors.New("mediaserver: not the fragments of a film")

// fragments reads a fragmented MP4 stream: a header (ftyp, moov), and then
// pairs of moof and mdat.
type fragments struct {
	r      io.Reader
	header []byte
	track  track
	next   []byte // the moof that was read ahead
	count  int    // fragments that were read
}

// A track is what is known of the track that tells the time: that of the
// pictures, or else the first.
type track struct {
	id, scale     uint32
	usual         uint32 // how long a sample lasts where nobody says it
	codecs        []string
	width, height int
	frames        float64 // a second; 0: not known, or no pictures
}

// newFragments reads the header.
func newFragments(r io.Reader) (*fragments, error) {
	f := &fragments{r: r}
	for {
		kind, b, err := f.box(headerMost)
		switch {
		case err != nil:
			return nil, err
		case kind == "moof" && f.track.scale > 0:
			f.next = b
			return f, nil
		case kind == "moof", kind == "mdat":
			return nil, fmt.Errorf("%w: no header before them", errFragment)
		case kind == "moov":
			f.track = parseHeader(b[8:])
		}
		f.header = append(f.header, b...)
		if len(f.header) > headerMost {
			return nil, errFragment
		}
	}
}

// read returns the next fragment and how long it lasts.
func (f *fragments) read() (b []byte, lasts time.Duration, err error) {
	b, f.next = f.next, nil
	if b == nil {
		kind := ""
		for kind != "moof" { // behind the last there is an index
			if kind, b, err = f.box(fragmentMost); err != nil {
				return nil, 0, err
			}
		}
	}
	lasts, samples := f.track.length(b[8:])
	// The first sample of all may last longer, to meet the sound.
	if f.count++; f.count <= 2 && lasts > 0 && f.track.width > 0 {
		f.track.frames = float64(samples) / lasts.Seconds()
	}
	for {
		kind, more, err := f.box(fragmentMost)
		if err != nil {
			return nil, 0, unexpected(err)
		}
		b = append(b, more...)
		if kind == "mdat" {
			return b, lasts, nil
		}
		if len(b) > fragmentMost {
			return nil, 0, errFragment
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// box reads a whole box.
func (f *fragments) box(most uint32) (kind string, b []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return "", nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > most {
		return "", nil, fmt.Errorf("%w: a box of %d bytes", errFragment, size)
	}
	b = make([]byte, size)
	copy(b, head[:])
	if _, err := io.ReadFull(f.r, b[8:]); err != nil {
		return "", nil, unexpected(err)
	}
	return string(head[4:]), b, nil
}

// boxes are those in b: their kinds and their bodies.
func boxes(b []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(b) >= 8 {
			size := binary.BigEndian.Uint32(b)
			if size < 8 || uint64(size) > uint64(len(b)) || !yield(string(b[4:8]), b[8:size]) {
				return
			}
			b = b[size:]
		}
	}
}

// parseHeader reads what a moov box says.
func parseHeader(moov []byte) track {
	var chosen track
	var codecs []string
	usual := map[uint32]uint32{}
	for kind, body := range boxes(moov) {
		switch kind {
		case "trak":
			t, pictures := parseTrack(body)
			codecs = append(codecs, t.codecs...)
			if pictures && chosen.width == 0 || chosen.scale == 0 {
				chosen = t
			}
		case "mvex":
			for kind, b := range boxes(body) {
				if kind == "trex" && len(b) >= 16 {
					usual[binary.BigEndian.Uint32(b[4:])] = binary.BigEndian.Uint32(b[12:])
				}
			}
		}
	}
	chosen.codecs, chosen.usual = codecs, usual[chosen.id]
	return chosen
}

// parseTrack reads the boxes of a track; times are in version 0 and 1.
func parseTrack(b []byte) (t track, pictures bool) {
	for kind, body := range boxes(b) {
		if kind == "tkhd" && len(body) >= 24 {
			t.id = binary.BigEndian.Uint32(body[12+8*int(body[0]&1):])
		}
		if kind != "mdia" {
			continue
		}
		for kind, body := range boxes(body) {
			switch {
			case kind == "mdhd" && len(body) >= 24:
				t.scale = binary.BigEndian.Uint32(body[12+8*int(body[0]&1):])
			case kind == "hdlr" && len(body) >= 12:
				pictures = string(body[8:12]) == "vide"
			case kind == "minf":
				t.parseSamples(body, pictures)
			}
		}
	}
	return t, pictures
}

// parseSamples reads how samples are coded, for the playlist.
func (t *track) parseSamples(minf []byte, pictures bool) {
	for kind, body := range boxes(minf) {
		switch {
		case kind == "stbl":
			t.parseSamples(body, pictures)
		case kind == "stsd" && len(body) > 8:
			for kind, entry := range boxes(body[8:]) {
				t.codecs = []string{codecOf(kind, entry)}
				if pictures && len(entry) >= 28 {
					t.width, t.height = int(binary.BigEndian.Uint16(entry[24:])), int(binary.BigEndian.Uint16(entry[26:]))
				}
				break
			}
		}
	}
}

// codecOf writes a codec as RFC 6381 has it, empty if that is not known.
func codecOf(kind string, entry []byte) string {
	switch kind {
	case "mp4a":
		return "mp4a.40.2"
	case "ac-3", "ec-3", "alac":
		return kind
	}
	if len(entry) < 78 {
		return ""
	}
	for inner, b := range boxes(entry[78:]) {
		switch {
		case inner == "avcC" && len(b) >= 4:
			return fmt.Sprintf("%s.%02x%02x%02x", kind, b[1], b[2], b[3])
		case inner == "hvcC" && len(b) >= 13:
			tier := "L"
			if b[1]&0x20 != 0 {
				tier = "H"
			}
			return fmt.Sprintf("%s.%d.%X.%s%d.B0", kind, b[1]&0x1f, reversed(binary.BigEndian.Uint32(b[2:])), tier, b[12])
		}
	}
	return ""
}

// reversed is v with its bits in the other order.
func reversed(v uint32) (r uint32) {
	for range 32 {
		r, v = r<<1|v&1, v>>1
	}
	return r
}

// length is how long the fragment of a moof box is, the sum of its samples in
// the track that tells the time, and how many samples that are.
func (t track) length(moof []byte) (lasts time.Duration, samples int) {
	var sum uint64
	for kind, body := range boxes(moof) {
		if kind == "traf" {
			s, n := t.sum(body)
			sum, samples = sum+s, samples+n
		}
	}
	if t.scale == 0 {
		return 0, samples
	}
	return time.Duration(float64(sum) / float64(t.scale) * float64(time.Second)), samples
}

// sum adds what the samples of a traf box last.
//
//	tfhd  flags  track  [offset 64]  [description]  [duration]  …
//	trun  flags  count  [offset]  [first flags]  samples: [duration] [size] [flags] [time]
func (t track) sum(traf []byte) (sum uint64, samples int) {
	usual := t.usual
	for kind, b := range boxes(traf) {
		if len(b) < 8 {
			continue
		}
		flags, fields := binary.BigEndian.Uint32(b)&0xffffff, b[8:]
		field := func(bit uint32, size int) (v uint32) {
			if flags&bit == 0 || len(fields) < size {
				return 0
			}
			v = binary.BigEndian.Uint32(fields)
			fields = fields[size:]
			return v
		}
		switch kind {
		case "tfhd":
			if binary.BigEndian.Uint32(b[4:]) != t.id {
				return 0, 0
			}
			field(1, 8)
			field(2, 4)
			if d := field(8, 4); flags&8 != 0 {
				usual = d
			}
		case "trun":
			count := binary.BigEndian.Uint32(b[4:])
			samples += int(min(count, 1<<20))
			field(1, 4)
			field(4, 4)
			if flags&0x100 == 0 {
				sum += uint64(count) * uint64(usual)
				continue
			}
			for ; count > 0 && len(fields) >= 4; count-- {
				sum += uint64(field(0x100, 4))
				field(0x200, 4)
				field(0x400, 4)
				field(0x800, 4)
			}
		}
	}
	return sum, samples
}
