// Package tlv8 reads and writes the lists of tag, length and value in which
// HAP pairing is spoken.
//
//	b := tlv8.Items{{Tag: 6, Value: []byte{1}}, {Tag: 0, Value: []byte{0}}}.AppendTo(nil)
//	items, err := tlv8.Unmarshal(b)
//	state, ok := items.Number(6)
package tlv8

import (
	"errors"
	"fmt"
)

// MaxLength is how long a list may be that is read. The longest that was seen,
// with a certificate in it, has less than two thousand bytes.
const MaxLength = 16 << 10

// ErrFormat is wrapped by errors for what is no list.
var ErrFormat = errors.New("no TLV8")

// An Item is a value of a kind.
type Item struct {
	Tag   byte
	Value []byte
}

// Items is a list in its order.
type Items []Item

// Get returns the first value of a kind, nil if there is none.
func (l Items) Get(tag byte) []byte {
	for _, i := range l {
		if i.Tag == tag {
			return i.Value
		}
	}
	return nil
}

// Has tells whether there is a value of a kind, if only an empty one.
func (l Items) Has(tag byte) bool {
	for _, i := range l {
		if i.Tag == tag {
			return true
		}
	}
	return false
}

// Number returns the first value of a kind as a number, low byte first.
func (l Items) Number(tag byte) (n uint64, ok bool) {
	v := l.Get(tag)
	if len(v) == 0 || len(v) > 8 {
		return 0, false
	}
	for i, b := range v {
		n |= uint64(b) << (8 * i)
	}
	return n, true
}

// AppendTo appends the list:
//
//	tag | length | value         up to 255 bytes
//	tag | ff | 255 bytes | tag | length | the rest
func (l Items) AppendTo(b []byte) []byte {
	for _, i := range l {
		v := i.Value
		for len(v) > 255 {
			b = append(append(b, i.Tag, 255), v[:255]...)
			v = v[255:]
		}
		b = append(append(b, i.Tag, byte(len(v))), v...)
	}
	return b
}

// Unmarshal reads a list. Neighbours of the same kind are one value.
func Unmarshal(b []byte) (Items, error) {
	if len(b) > MaxLength {
		return nil, fmt.Errorf("%w: %d bytes, and at most %d are read", ErrFormat, len(b), MaxLength)
	}
	var l Items
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return nil, fmt.Errorf("%w: it ends within an item", ErrFormat)
		}
		tag, v := b[0], b[2:2+int(b[1])]
		b = b[2+len(v):]
		if n := len(l); n > 0 && l[n-1].Tag == tag {
			l[n-1].Value = append(l[n-1].Value, v...)
			continue
		}
		l = append(l, Item{tag, append([]byte{}, v...)})
	}
	return l, nil
}
