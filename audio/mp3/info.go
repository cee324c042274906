package mp3

import "encoding/binary"

// decoderDelay is how many samples every Layer III decoder is late.
const decoderDelay = 529

// An info is what an encoder says of its stream, in a first frame that holds no
// sound.
type info struct {
	frames     int64 // of sound; 0: not told
	bytes      int64 // with this frame; 0: not told
	delay, pad int   // samples that the encoder put in front and behind
	gapless    bool  // delay and pad are told
}

// parseInfo reads the frame that Xing invented and LAME extended, or
// Fraunhofer's; false if the frame holds sound.
//
//	Xing or Info | flags | frames | bytes | 100 bytes | quality | LAME, version | … | delay and pad | …
//	VBRI | version, delay, quality | bytes | frames | …
func parseInfo(h header, data []byte) (info, bool) {
	if at := 4 + 32; len(data) >= at+18 && string(data[at:at+4]) == "VBRI" {
		return info{
			bytes:  int64(binary.BigEndian.Uint32(data[at+10:])),
			frames: int64(binary.BigEndian.Uint32(data[at+14:])),
		}, true
	}
	at := 4 + h.sideSize() // with a CRC too: LAME writes none into it
	if len(data) < at+8 || string(data[at:at+4]) != "Xing" && string(data[at:at+4]) != "Info" {
		return info{}, false
	}
	flags := binary.BigEndian.Uint32(data[at+4:])
	rest := data[at+8:]
	field := func(flag uint32, size int) []byte {
		if flags&flag == 0 || len(rest) < size {
			return make([]byte, 4)
		}
		f := rest[:size]
		rest = rest[size:]
		return f
	}
	var i info
	i.frames = int64(binary.BigEndian.Uint32(field(1, 4)))
	i.bytes = int64(binary.BigEndian.Uint32(field(2, 4)))
	field(4, 100) // where in the stream each hundredth is
	field(8, 4)   // quality
	i.readLAME(rest)
	return i, true
}

// readLAME reads what LAME put behind, and libavformat after it.
//
//	0     4        9  …  21                   24
//	LAME  version     …  delay, pad: 12 bits each
func (i *info) readLAME(b []byte) {
	if len(b) < 24 {
		return
	}
	switch string(b[:4]) {
	case "LAME", "Lavf", "Lavc":
		i.gapless = true
		i.delay = int(b[21])<<4 | int(b[22])>>4
		i.pad = int(b[22]&0x0f)<<8 | int(b[23])
	}
}
