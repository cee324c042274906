// Package plist reads and writes property lists, in which AirPlay says what
// does not fit a header: binary ones, and reads XML ones too.
//
//	body, err := plist.Marshal(plist.Dict{"Content-Location": url, "rate": 1.0})
//	info, err := plist.UnmarshalDict(body)
//	seconds, ok := info.Float("duration")
//
// What is read has the types nil, bool, int64, uint64 (beyond int64), float64,
// string, []byte, time.Time, []any and Dict; those, and int, are written.
// Nothing that is read can make a reader work or remember more than in
// proportion to its length: what refers to itself, or to one thing very often,
// is refused.
package plist

import (
	"errors"
	"math"
)

// ErrFormat is wrapped by errors for what is no property list.
var ErrFormat = errors.New("plist: no property list")

// A Dict holds values by their names.
type Dict map[string]any

const (
	maxDepth = 64
	// maxValues is how many values a list may have, those counted twice that
	// are referred to twice.
	maxValues = 100_000
)

// Unmarshal reads a property list, binary or XML.
func Unmarshal(b []byte) (any, error) {
	if len(b) >= len(magic) && string(b[:len(magic)]) == magic {
		return unmarshalBinary(b)
	}
	return unmarshalXML(b)
}

// UnmarshalDict reads a property list that is a Dict.
func UnmarshalDict(b []byte) (Dict, error) {
	v, err := Unmarshal(b)
	if err != nil {
		return nil, err
	}
	d, ok := v.(Dict)
	if !ok {
		return nil, malformed("not a dictionary")
	}
	return d, nil
}

// Float is a number, as what kind so ever it was written. Not a number and
// infinity are none.
func (d Dict) Float(name string) (v float64, ok bool) {
	switch n := d[name].(type) {
	case float64:
		v, ok = n, !math.IsNaN(n) && !math.IsInf(n, 0)
	case int64:
		v, ok = float64(n), true
	case uint64:
		v, ok = float64(n), true
	}
	return v, ok
}

// Int is a whole number.
func (d Dict) Int(name string) (v int64, ok bool) {
	switch n := d[name].(type) {
	case int64:
		return n, true
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), true
		}
	}
	return 0, false
}

// Bool is a truth, which some write as a number.
func (d Dict) Bool(name string) (v, ok bool) {
	switch b := d[name].(type) {
	case bool:
		return b, true
	case int64:
		return b != 0, true
	case float64:
		return b != 0, true
	}
	return false, false
}

// Text is a text, empty if there is none.
func (d Dict) Text(name string) string {
	s, _ := d[name].(string)
	return s
}

// Bytes is data, nil if there is none.
func (d Dict) Bytes(name string) []byte {
	b, _ := d[name].([]byte)
	return b
}

// Dict is a dictionary in the dictionary, nil if there is none.
func (d Dict) Dict(name string) Dict {
	v, _ := d[name].(Dict)
	return v
}

// List is a list, nil if there is none.
func (d Dict) List(name string) []any {
	v, _ := d[name].([]any)
	return v
}
