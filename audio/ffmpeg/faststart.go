package ffmpeg

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// move makes the index fit for a place before the samples: all that lies behind
// that place moves, and the offsets of the chunks with it.
//
//	before   ftyp       mdat … moov …
//	after    ftyp moov' mdat …      …
func (l layout) move(index []byte) ([]byte, error) {
	m := mover{layout: l, moved: int64(len(index))}
	if err := m.measure(index, 0); err != nil {
		return nil, err
	}
	if m.wide {
		// A 32-bit offset would be too large at its new place: all get 64. How
		// large the index is then is known when it is done, so it is done twice.
		m.moved = int64(len(m.widen(nil, index, 0)))
		return m.widen(make([]byte, 0, m.moved), index, 0), nil
	}
	m.shift(index, 0)
	return index, nil
}

// A mover changes the offsets in an index.
type mover struct {
	layout layout
	moved  int64 // the size of the index when it is done
	wide   bool  // its offsets need 64 bits
}

// offset is where an offset is after the move.
func (m *mover) offset(v uint64) uint64 {
	at := m.layout.data
	switch {
	case v < uint64(at) || v > math.MaxInt64/2:
		return v
	case v < uint64(m.layout.moov.at):
		return v + uint64(m.moved)
	}
	return v + uint64(m.moved-m.layout.moov.size)
}

// path is where the tables of offsets are in an index.
var path = [...]string{"moov", "trak", "mdia", "minf", "stbl"}

// table is the head of a table of offsets, stco or co64: version and flags, and
// how many there are.
const table = 8

// measure looks at all offsets, and whether they fit when they have moved.
func (m *mover) measure(b []byte, depth int) error {
	for kind, body := range boxes(b) {
		switch {
		case kind == "cmov":
			return fmt.Errorf("%w: its index is compressed", ErrFormat)
		case depth < len(path) && kind == path[depth]:
			if err := m.measure(body, depth+1); err != nil {
				return err
			}
		case depth == len(path) && kind == "stco":
			for _, v := range each(body, 4) {
				m.wide = m.wide || m.offset(v) > math.MaxUint32
			}
		}
	}
	return nil
}

// offsets are the bytes of a table's offsets, width bytes each.
func offsets(body []byte, width int) []byte {
	if len(body) < table {
		return nil
	}
	n := uint64(binary.BigEndian.Uint32(body[4:]))
	return body[table : table+int(min(n, uint64(len(body)-table)/uint64(width)))*width]
}

// each goes over the offsets of a table.
func each(body []byte, width int) func(yield func([]byte, uint64) bool) {
	return func(yield func([]byte, uint64) bool) {
		for b := offsets(body, width); len(b) > 0; b = b[width:] {
			v := uint64(binary.BigEndian.Uint32(b))
			if width == 8 {
				v = binary.BigEndian.Uint64(b)
			}
			if !yield(b, v) {
				return
			}
		}
	}
}

// shift changes the offsets where they stand.
func (m *mover) shift(b []byte, depth int) {
	for kind, body := range boxes(b) {
		switch {
		case depth < len(path) && kind == path[depth]:
			m.shift(body, depth+1)
		case depth == len(path) && kind == "stco":
			for b, v := range each(body, 4) {
				binary.BigEndian.PutUint32(b, uint32(m.offset(v)))
			}
		case depth == len(path) && kind == "co64":
			for b, v := range each(body, 8) {
				binary.BigEndian.PutUint64(b, m.offset(v))
			}
		}
	}
}

// widen appends the boxes in b to dst, with changed offsets, all of 64 bits.
func (m *mover) widen(dst, b []byte, depth int) []byte {
	for kind, body := range boxes(b) {
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		switch {
		case depth < len(path) && kind == path[depth]:
			dst = m.widen(append(dst, kind...), body, depth+1)
		case depth == len(path) && (kind == "stco" || kind == "co64") && len(body) >= table:
			width := 4
			if kind == "co64" {
				width = 8
			}
			dst = append(dst, "co64"...)
			dst = append(dst, body[:4]...)
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(offsets(body, width))/width))
			for _, v := range each(body, width) {
				dst = binary.BigEndian.AppendUint64(dst, m.offset(v))
			}
		default:
			dst = append(append(dst, kind...), body...)
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	}
	return dst
}

// An assembly reads parts of a file, and bytes between them, in a row.
type assembly struct {
	file   io.ReadSeeker
	base   int64
	pieces []piece
	begun  bool // the first piece is being read
}

// A piece is some bytes, or a part of the file.
type piece struct {
	bytes    []byte
	from, to int64
}

func newAssembly(file io.ReadSeeker, base int64) *assembly { return &assembly{file: file, base: base} }

func (a *assembly) add(from, to int64) *assembly {
	if from < to {
		a.pieces = append(a.pieces, piece{from: from, to: to})
	}
	return a
}

func (a *assembly) addBytes(b []byte) *assembly {
	a.pieces = append(a.pieces, piece{bytes: b})
	return a
}

// Read reads what comes next. The file must not be moved meanwhile.
func (a *assembly) Read(p []byte) (int, error) {
	for len(a.pieces) > 0 {
		n, err := a.readPiece(&a.pieces[0], p)
		if err == io.EOF {
			a.pieces, a.begun, err = a.pieces[1:], false, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

func (a *assembly) readPiece(piece *piece, p []byte) (n int, err error) {
	if piece.bytes != nil {
		n = copy(p, piece.bytes)
		piece.bytes = piece.bytes[n:]
		if len(piece.bytes) == 0 {
			err = io.EOF
		}
		return n, err
	}
	if !a.begun {
		if _, err := a.file.Seek(a.base+piece.from, io.SeekStart); err != nil {
			return 0, fmt.Errorf("ffmpeg: seek: %w", err)
		}
		a.begun = true
	}
	if piece.from == piece.to {
		return 0, io.EOF
	}
	n, err = a.file.Read(p[:min(int64(len(p)), piece.to-piece.from)])
	piece.from += int64(n)
	return n, err
}
