package plist

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
	"unicode/utf16"
)

// Marshal writes a binary list. The same value always makes the same bytes.
func Marshal(v any) ([]byte, error) {
	e := &encoder{texts: map[string]uint32{}}
	if _, err := e.number(v, 0); err != nil {
		return nil, err
	}
	return e.assemble()
}

// An encoder gathers objects in the order of their numbers. References have
// four bytes while they are gathered.
type encoder struct {
	objects []object
	texts   map[string]uint32 // names and texts are written once
}

// An object is its own bytes, and the objects that it refers to.
type object struct {
	head []byte
	refs []uint32
}

// number gives v a number and gathers it and all that is in it.
func (e *encoder) number(v any, depth int) (uint32, error) {
	if depth > maxDepth {
		return 0, fmt.Errorf("plist: more than %d deep", maxDepth)
	}
	if s, ok := v.(string); ok {
		if n, ok := e.texts[s]; ok {
			return n, nil
		}
		e.texts[s] = uint32(len(e.objects))
	}
	n := uint32(len(e.objects))
	e.objects = append(e.objects, object{})
	o, err := e.object(v, depth)
	e.objects[n] = o
	return n, err
}

func (e *encoder) object(v any, depth int) (object, error) {
	switch v := v.(type) {
	case []any:
		o := object{head: head(10, len(v))}
		return o, e.refer(&o, v, depth)
	case map[string]any:
		return e.dict(v, depth)
	case Dict:
		return e.dict(v, depth)
	}
	b, err := leaf(v)
	return object{head: b}, err
}

func (e *encoder) dict(d map[string]any, depth int) (object, error) {
	o := object{head: head(13, len(d))}
	var names, values []any
	for _, k := range slices.Sorted(maps.Keys(d)) {
		names, values = append(names, k), append(values, d[k])
	}
	err := e.refer(&o, names, depth)
	if err == nil {
		err = e.refer(&o, values, depth)
	}
	return o, err
}

func (e *encoder) refer(o *object, values []any, depth int) error {
	for _, v := range values {
		n, err := e.number(v, depth+1)
		if err != nil {
			return err
		}
		o.refs = append(o.refs, n)
	}
	return nil
}

// leaf writes a value that has no parts.
func leaf(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte{0}, nil
	case bool:
		if v {
			return []byte{9}, nil
		}
		return []byte{8}, nil
	case int:
		return appendInteger(nil, int64(v)), nil
	case int64:
		return appendInteger(nil, v), nil
	case uint64:
		if v <= math.MaxInt64 {
			return appendInteger(nil, int64(v)), nil
		}
		return binary.BigEndian.AppendUint64([]byte{0x14, 0, 0, 0, 0, 0, 0, 0, 0}, v), nil
	case float64:
		return binary.BigEndian.AppendUint64([]byte{0x23}, math.Float64bits(v)), nil
	case time.Time:
		seconds := float64(v.Unix() - epoch.Unix())
		return binary.BigEndian.AppendUint64([]byte{0x33}, math.Float64bits(seconds)), nil
	case []byte:
		return append(head(4, len(v)), v...), nil
	case string:
		return characters(v), nil
	}
	return nil, fmt.Errorf("plist: a %T cannot be written", v)
}

func characters(s string) []byte {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return append(head(5, len(s)), s...)
	}
	units := utf16.Encode([]rune(s))
	b := head(6, len(units))
	for _, u := range units {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return b
}

// head is the first byte of an object of n parts, and n if that has no room
// there.
func head(kind byte, n int) []byte {
	if n < 15 {
		return []byte{kind<<4 | byte(n)}
	}
	return appendInteger([]byte{kind<<4 | 15}, int64(n))
}

func appendInteger(b []byte, v int64) []byte {
	switch {
	case v < 0 || v > math.MaxUint32:
		return binary.BigEndian.AppendUint64(append(b, 0x13), uint64(v))
	case v > math.MaxUint16:
		return binary.BigEndian.AppendUint32(append(b, 0x12), uint32(v))
	case v > math.MaxUint8:
		return binary.BigEndian.AppendUint16(append(b, 0x11), uint16(v))
	}
	return append(b, 0x10, byte(v))
}

// assemble puts the objects, the table and the trailer one behind the other.
func (e *encoder) assemble() ([]byte, error) {
	refSize := bytesFor(uint64(len(e.objects)))
	b := []byte(magic)
	offsets := make([]uint64, len(e.objects))
	for i, o := range e.objects {
		offsets[i] = uint64(len(b))
		b = append(b, o.head...)
		for _, r := range o.refs {
			b = appendNumber(b, uint64(r), refSize)
		}
	}
	table := uint64(len(b))
	offsetSize := bytesFor(table)
	for _, at := range offsets {
		b = appendNumber(b, at, offsetSize)
	}
	b = append(b, 0, 0, 0, 0, 0, 0, byte(offsetSize), byte(refSize))
	b = binary.BigEndian.AppendUint64(b, uint64(len(e.objects)))
	b = binary.BigEndian.AppendUint64(b, 0)
	return binary.BigEndian.AppendUint64(b, table), nil
}

// bytesFor is how many bytes a number needs: 1, 2, 4 or 8.
func bytesFor(v uint64) int {
	switch {
	case v <= math.MaxUint8:
		return 1
	case v <= math.MaxUint16:
		return 2
	case v <= math.MaxUint32:
		return 4
	}
	return 8
}

func appendNumber(b []byte, v uint64, size int) []byte {
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}
