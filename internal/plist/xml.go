package plist

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"time"
)

// A reader reads the elements of an XML list.
type reader struct {
	d    *xml.Decoder
	left int
}

func unmarshalXML(b []byte) (any, error) {
	r := &reader{d: xml.NewDecoder(bytes.NewReader(b)), left: maxValues}
	r.d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		t, err := r.d.Token()
		if err != nil {
			return nil, malformed("neither binary nor XML")
		}
		start, ok := t.(xml.StartElement)
		switch {
		case ok && start.Name.Local == "plist":
		case ok:
			return r.value(start, 0)
		}
	}
}

// next is the next element in the one that is open; ok is false at its end.
func (r *reader) next() (start xml.StartElement, ok bool, err error) {
	for {
		t, err := r.d.Token()
		if err != nil {
			return start, false, malformed("%v", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, true, nil
		case xml.EndElement:
			return start, false, nil
		}
	}
}

// value reads what an element holds, up to its end.
func (r *reader) value(start xml.StartElement, depth int) (any, error) {
	if r.left--; r.left < 0 || depth > maxDepth {
		return nil, malformed("too much in it")
	}
	switch start.Name.Local {
	case "dict":
		return r.dict(depth)
	case "array":
		return r.array(depth)
	}
	s, err := r.text()
	if err != nil {
		return nil, err
	}
	return scalar(start.Name.Local, s)
}

func (r *reader) array(depth int) (any, error) {
	list := []any{}
	for {
		start, ok, err := r.next()
		if err != nil || !ok {
			return list, err
		}
		v, err := r.value(start, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (r *reader) dict(depth int) (any, error) {
	dict := Dict{}
	for {
		start, ok, err := r.next()
		if err != nil || !ok {
			return dict, err
		}
		if start.Name.Local != "key" {
			return nil, malformed("a value without a name")
		}
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if start, ok, err = r.next(); err != nil || !ok {
			return nil, malformed("a name without a value")
		}
		if dict[name], err = r.value(start, depth+1); err != nil {
			return nil, err
		}
	}
}

// text reads text up to the end of the element that is open.
func (r *reader) text() (string, error) {
	var s strings.Builder
	for {
		t, err := r.d.Token()
		if err != nil {
			return "", malformed("%v", err)
		}
		switch t := t.(type) {
		case xml.CharData:
			s.Write(t)
		case xml.StartElement:
			return "", malformed("a %s where text should be", t.Name.Local)
		case xml.EndElement:
			return s.String(), nil
		}
	}
}

// scalar reads a value that has no parts.
func scalar(kind, s string) (any, error) {
	trimmed := strings.TrimSpace(s)
	var v any
	var err error
	switch kind {
	case "true", "false":
		return kind == "true", nil
	case "string":
		return s, nil
	case "integer":
		if v, err = strconv.ParseInt(trimmed, 0, 64); err != nil {
			v, err = strconv.ParseUint(trimmed, 0, 64)
		}
	case "real":
		v, err = strconv.ParseFloat(trimmed, 64)
	case "date":
		v, err = time.Parse(time.RFC3339, trimmed)
	case "data":
		v, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	default:
		return nil, malformed("an element %q", kind)
	}
	if err != nil {
		return nil, malformed("%q is no %s", trimmed, kind)
	}
	return v, nil
}
