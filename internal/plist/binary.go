package plist

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
	"unicode/utf16"
)

// A binary list begins with magic. Then come the objects, the table of their
// offsets, and a trailer:
//
//	0      6            7         8        16        24
//	zeros  offset size  ref size  objects  the root  where the table begins
const (
	magic       = "bplist00"
	trailerSize = 32
)

// epoch is when the time of property lists began.
var epoch = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, a...))
}

// A decoder reads the objects of a binary list.
type decoder struct {
	b                   []byte // without the trailer
	offsetSize, refSize int
	objects, table      uint64
	left                int // values that may still be read
}

func unmarshalBinary(b []byte) (any, error) {
	if len(b) < len(magic)+trailerSize {
		return nil, malformed("only %d bytes", len(b))
	}
	t := b[len(b)-trailerSize:]
	d := &decoder{
		b: b[:len(b)-trailerSize], offsetSize: int(t[6]), refSize: int(t[7]),
		objects: binary.BigEndian.Uint64(t[8:]), table: binary.BigEndian.Uint64(t[24:]), left: maxValues,
	}
	size := uint64(len(d.b))
	switch {
	case d.offsetSize < 1 || d.offsetSize > 8 || d.refSize < 1 || d.refSize > 8:
		return nil, malformed("numbers of %d and %d bytes", d.offsetSize, d.refSize)
	case d.table > size || d.objects > (size-d.table)/uint64(d.offsetSize):
		return nil, malformed("its table lies outside of it")
	}
	return d.object(binary.BigEndian.Uint64(t[16:]), 0)
}

// object reads the object of a number.
func (d *decoder) object(ref uint64, depth int) (any, error) {
	if d.left--; d.left < 0 || depth > maxDepth {
		return nil, malformed("too much in it, or it refers to itself")
	}
	if ref >= d.objects {
		return nil, malformed("there is no object %d", ref)
	}
	at := number(d.b[d.table+ref*uint64(d.offsetSize):][:d.offsetSize])
	if at >= uint64(len(d.b)) {
		return nil, malformed("object %d lies outside of it", ref)
	}
	kind, low, rest := d.b[at]>>4, int(d.b[at]&15), d.b[at+1:]
	switch kind {
	case 0:
		return simple(low)
	case 1:
		return integer(rest, low)
	case 2, 3:
		return real(rest, kind, low)
	case 8: // a UID
		return d.uid(rest, low)
	}
	n, rest, err := count(rest, low)
	if err != nil {
		return nil, err
	}
	return d.counted(kind, n, rest, depth)
}

// counted reads an object that has n parts.
func (d *decoder) counted(kind byte, n uint64, rest []byte, depth int) (any, error) {
	width := map[byte]uint64{4: 1, 5: 1, 6: 2, 10: uint64(d.refSize), 12: uint64(d.refSize), 13: 2 * uint64(d.refSize)}[kind]
	switch {
	case width == 0:
		return nil, malformed("an object of the unknown kind %#x", kind)
	case n > uint64(len(rest))/width:
		return nil, malformed("an object is cut short")
	}
	b := rest[:n*width]
	switch kind {
	case 4:
		if d.left -= int(n / 64); d.left < 0 { // one may be referred to often
			return nil, malformed("too much in it")
		}
		return append([]byte{}, b...), nil
	case 5, 6:
		if d.left -= int(n / 64); d.left < 0 {
			return nil, malformed("too much in it")
		}
		return text(b, kind), nil
	case 13:
		return d.dict(b, n, depth)
	}
	list := []any{}
	for ; len(b) > 0; b = b[d.refSize:] {
		v, err := d.object(number(b[:d.refSize]), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (d *decoder) dict(b []byte, n uint64, depth int) (any, error) {
	dict := Dict{}
	size := uint64(d.refSize)
	for i := range n {
		k, err := d.object(number(b[i*size:][:size]), depth+1)
		if err != nil {
			return nil, err
		}
		name, ok := k.(string)
		if !ok {
			return nil, malformed("a name that is no text")
		}
		if dict[name], err = d.object(number(b[(n+i)*size:][:size]), depth+1); err != nil {
			return nil, err
		}
	}
	return dict, nil
}

// uid reads a number that names something.
func (d *decoder) uid(b []byte, low int) (any, error) {
	if low >= 8 || len(b) < low+1 {
		return nil, malformed("a UID is cut short")
	}
	return whole(number(b[:low+1])), nil
}

func simple(low int) (any, error) {
	switch low {
	case 0:
		return nil, nil
	case 8:
		return false, nil
	case 9:
		return true, nil
	}
	return nil, malformed("an object of the unknown kind %#x", low)
}

// integer reads 1, 2, 4, 8 or 16 bytes; of those with 8 and 16, the first bit
// is a sign.
func integer(b []byte, low int) (any, error) {
	if low > 4 || len(b) < 1<<low {
		return nil, malformed("a number is cut short")
	}
	switch b = b[:1<<low]; low {
	case 3:
		return int64(binary.BigEndian.Uint64(b)), nil
	case 4:
		return whole(binary.BigEndian.Uint64(b[8:])), nil // beyond 64 bits nothing is of use
	}
	return int64(number(b)), nil
}

func whole(v uint64) any {
	if v > math.MaxInt64 {
		return v
	}
	return int64(v)
}

func real(b []byte, kind byte, low int) (any, error) {
	if low != 2 && low != 3 || len(b) < 1<<low {
		return nil, malformed("a number is cut short")
	}
	v := float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	if low == 3 {
		v = math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	if kind == 2 {
		return v, nil
	}
	if !(math.Abs(v) < 1e10) {
		return nil, malformed("a date beyond all times")
	}
	return epoch.Add(time.Duration(math.Trunc(v)) * time.Second), nil
}

// count reads how many parts an object has: the low bits of its first byte, or
// an integer behind it.
func count(b []byte, low int) (n uint64, rest []byte, err error) {
	if low < 15 {
		return uint64(low), b, nil
	}
	if len(b) == 0 || b[0]>>4 != 1 || b[0]&15 > 3 || len(b) < 1+1<<(b[0]&15) {
		return 0, nil, malformed("an object is cut short")
	}
	size := 1 << (b[0] & 15)
	return number(b[1 : 1+size]), b[1+size:], nil
}

func text(b []byte, kind byte) string {
	if kind == 5 {
		return string(b)
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// number is a big-endian number of up to 8 bytes.
func number(b []byte) uint64 {
	v := uint64(0)
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}
