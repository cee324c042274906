package parameter

import (
	"encoding/binary"
	"time"

	"airplay2mqtt/audio"
)

// A dmap builds items of DMAP: four letters, the length in bytes, the payload.
type dmap []byte

func (d dmap) bytes(code string, payload []byte) dmap {
	d = append(d, code...)
	d = binary.BigEndian.AppendUint32(d, uint32(len(payload)))
	return append(d, payload...)
}

func (d dmap) text(code, s string) dmap { return d.bytes(code, []byte(s)) }
func (d dmap) byte(code string, n byte) dmap {
	return d.bytes(code, []byte{n})
}
func (d dmap) short(code string, n uint16) dmap {
	return d.bytes(code, binary.BigEndian.AppendUint16(nil, n))
}
func (d dmap) long(code string, n uint32) dmap {
	return d.bytes(code, binary.BigEndian.AppendUint32(nil, n))
}

// Tags returns the listing item of a track. Title, artist and album
// are always there, if empty, so that those of the track before do not stay.
func Tags(t audio.Tags) []byte {
	const music = 2
	d := dmap{}.byte("mikd", music).text("minm", t.Title).text("asar", t.Artist).text("asal", t.Album)
	if t.Genre != "" {
		d = d.text("asgn", t.Genre)
	}
	if 0 < t.Year && t.Year < 1<<16 {
		d = d.short("asyr", uint16(t.Year))
	}
	if 0 < t.Track && t.Track < 1<<16 {
		d = d.short("astn", uint16(t.Track))
	}
	if ms := t.Duration / time.Millisecond; 0 < ms && ms < 1<<32 {
		d = d.long("astm", uint32(ms))
	}
	return dmap{}.bytes("mlit", d)
}
