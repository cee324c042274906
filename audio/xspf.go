package audio

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/audio/tags"
)

// parseXSPF reads the tracks of a playlist in XML:
//
//	<playlist><trackList>
//	  <track><location>http://…</location><creator>…</creator><title>…</title><duration>milliseconds</duration></track>
//
// It reads as far as the text is well-formed. Entities other than those of XML
// itself end it.
func parseXSPF(text string) (entries []Entry) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = charset
	var path []string // names of the elements that are open
	var track xspfTrack
	for len(path) <= 16 {
		token, err := d.RawToken()
		if err != nil {
			break
		}
		switch t := token.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			switch t.Name.Local {
			case "track":
				track = xspfTrack{}
			case "location":
				track.locations++
			}
		case xml.CharData:
			if n := len(path); n >= 2 && path[n-2] == "track" {
				track.put(path[n-1], string(t))
			}
		case xml.EndElement:
			if len(path) == 0 || path[len(path)-1] != t.Name.Local {
				return entries
			}
			path = path[:len(path)-1]
			if e, ok := track.entry(); ok && t.Name.Local == "track" {
				if entries = append(entries, e); len(entries) == entriesAtMost {
					return entries
				}
			}
		}
	}
	return entries
}

// xspfTrack is the text of a track's elements.
type xspfTrack struct {
	locations                          int // a track may have several, of which the first counts
	location, creator, title, duration string
}

func (t *xspfTrack) put(element, text string) {
	switch element {
	case "location":
		if t.locations == 1 {
			t.location += text
		}
	case "creator":
		t.creator += text
	case "title":
		t.title += text
	case "duration":
		t.duration += text
	}
}

func (t *xspfTrack) entry() (Entry, bool) {
	location := strings.TrimSpace(t.location)
	if location == "" {
		return Entry{}, false
	}
	e := Entry{Location: location, Title: headline(Tags{Artist: tags.Clean(t.creator), Title: tags.Clean(t.title)})}
	if ms, err := strconv.ParseInt(strings.TrimSpace(t.duration), 10, 32); err == nil && ms > 0 {
		e.Duration = time.Duration(ms) * time.Millisecond
	}
	return e, true
}

// charset reads the one encoding besides UTF-8 that is still met.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "us-ascii":
		return r, nil
	case "iso-8859-1", "latin1", "windows-1252":
		b, err := io.ReadAll(io.LimitReader(r, playlistSize))
		return strings.NewReader(latin1(string(b))), err
	}
	return nil, fmt.Errorf("audio: text in %s", label)
}
