package ffmpeg

import (
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"
)

// A box is a part of an MP4 file.
//
//	0     4     8
//	size  kind  size-8 bytes                   0: to the end of the file
//	1     kind  size (64 bits)  size-16 bytes
type box struct {
	kind    string
	at      int64
	size    int64 // with its head; 0: not valid
	endless bool  // it ends with the stream
}

const boxHead, largeBoxHead = 8, 16

func (b box) end() int64  { return b.at + b.size }
func (b box) valid() bool { return b.size >= boxHead }

// begins tells whether a file of the MP4 family may begin with the box.
func (b box) begins() bool {
	switch b.kind {
	case "ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp":
		return true
	}
	return false
}

func isLarge(head []byte) bool { return binary.BigEndian.Uint32(head) == 1 }

// parseBox reads the head of a box in a file that ends at end, -1 if that is not
// known. A box that is cut short is as long as the file allows.
func parseBox(head []byte, at, end int64) box {
	b := box{kind: string(head[4:8]), at: at}
	switch size := binary.BigEndian.Uint32(head); {
	case size == 0:
		b.endless, b.size = true, math.MaxInt64-at
	case size == 1 && len(head) >= largeBoxHead:
		large := binary.BigEndian.Uint64(head[8:])
		if large < largeBoxHead || large > math.MaxInt64/2 {
			return box{kind: b.kind, at: at}
		}
		b.size = int64(large)
	case size >= boxHead:
		b.size = int64(size)
	}
	if end >= 0 && b.valid() {
		b.size = min(b.size, end-at)
	}
	return b
}

// boxes are those in b: their kinds and their bodies. It ends where b makes no
// sense any more.
func boxes(b []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(b) >= boxHead {
			head, size := boxHead, uint64(binary.BigEndian.Uint32(b))
			switch {
			case size == 0:
				size = uint64(len(b))
			case size == 1 && len(b) >= largeBoxHead:
				head, size = largeBoxHead, binary.BigEndian.Uint64(b[8:])
			}
			if size < uint64(head) || size > uint64(len(b)) {
				return
			}
			if !yield(string(b[4:8]), b[head:size]) {
				return
			}
			b = b[size:]
		}
	}
}

// A layout is where the parts of an MP4 file lie. Offsets count from where it
// begins.
type layout struct {
	moov box
	data int64 // where the samples begin, -1: there are none
}

// behind tells whether the index must be brought to the front.
func (l layout) behind() bool { return l.data >= 0 && l.moov.at > l.data }

const (
	// maxIndex is how large an index may be; that of a book of 20 hours has 13
	// MiB.
	maxIndex = 24 << 20
	// maxBoxes is how many boxes are looked at.
	maxBoxes = 1000
)

// scan walks the boxes of a file up to its index. What is no MP4 file has none.
func scan(file io.ReadSeeker, base, size int64) (layout, error) {
	l := layout{data: -1}
	var head [largeBoxHead]byte
	at := int64(0)
	for range maxBoxes {
		if _, err := file.Seek(base+at, io.SeekStart); err != nil {
			return l, fmt.Errorf("ffmpeg: seek: %w", err)
		}
		n, err := io.ReadFull(file, head[:])
		if n < boxHead {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = nil
			}
			return l, err
		}
		b := parseBox(head[:n], at, size)
		switch {
		case !b.valid(), at == 0 && !b.begins():
			return l, nil
		case b.kind == "moov":
			l.moov = b
			return l, nil
		case b.kind == "moof":
			return l, nil // the index should have come before
		case b.kind == "mdat" && l.data < 0:
			l.data = at
		}
		at = b.end()
	}
	return l, nil
}

// readIndex reads the moov box, and gives it a plain head.
func (l layout) readIndex(file io.ReadSeeker, base int64) ([]byte, error) {
	if l.moov.size > maxIndex {
		return nil, errIndexLarge
	}
	if _, err := file.Seek(base+l.moov.at, io.SeekStart); err != nil {
		return nil, fmt.Errorf("ffmpeg: seek: %w", err)
	}
	index := make([]byte, l.moov.size) // no more than the file has
	_, err := io.ReadFull(file, index)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%w: the file has become shorter", ErrFormat)
	}
	if err == nil && len(index) >= largeBoxHead && isLarge(index) {
		index = append(index[:boxHead], index[largeBoxHead:]...)
	}
	binary.BigEndian.PutUint32(index, uint32(len(index)))
	return index, err
}
