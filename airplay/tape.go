package airplay

import (
	"airplay2mqtt/audio/alac"
)

const perPacket = alac.FramesPerPacket

// tapeFrames is how much a tape holds: 5.9 s.
const tapeFrames = 1 << 18

// A tape holds the sound that is to be sent, each frame at its place on the
// session's line; what was not written is silence. So sound may begin at any
// frame, and packets go on in steps of 352 as if nothing had happened. It is
// guarded by the session's mutex and does not allocate but once.
type tape struct {
	pcm     []int16 // left and right in turn
	scratch [2 * perPacket]int16
	cursor  int64 // the next frame that is sent
	end     int64 // behind the last frame that was written
}

// write puts the frames of a payload at a place. It is false if all of them
// come too late; what is too early for the tape is left out.
func (t *tape) write(at int64, payload []byte) (inTime bool, err error) {
	if t.pcm == nil {
		t.pcm = make([]int16, 2*tapeFrames)
	}
	frames, err := alac.DecodeVerbatim(t.scratch[:], payload)
	if err != nil {
		return false, err
	}
	from, to := max(at, t.cursor), min(at+int64(frames), t.cursor+tapeFrames)
	if from >= to {
		return false, nil
	}
	sound := t.scratch[2*(from-at) : 2*(to-at)]
	place := 2 * (from & (tapeFrames - 1))
	n := copy(t.pcm[place:], sound)
	copy(t.pcm, sound[n:])
	t.end = max(t.end, to)
	return true, nil
}

// take moves the next 352 frames off the tape.
func (t *tape) take(pcm *[2 * perPacket]int16) {
	clear(pcm[:])
	if t.end > t.cursor {
		place := 2 * (t.cursor & (tapeFrames - 1))
		n := copy(pcm[:], t.pcm[place:])
		copy(pcm[n:], t.pcm)
	}
	t.erase(t.cursor, t.cursor+perPacket)
	t.cursor += perPacket
}

// cut makes everything from a place on silence.
func (t *tape) cut(from int64) {
	from = max(from, t.cursor)
	t.erase(from, t.end)
	t.end = min(t.end, from)
}

// jump goes on at another place; what lies before it is lost.
func (t *tape) jump(to int64) {
	t.erase(t.cursor, min(t.end, to))
	if to < t.cursor {
		t.erase(t.cursor, t.end)
		t.end = to
	}
	t.cursor, t.end = to, max(t.end, to)
}

// erase makes frames silence, as far as there is a tape.
func (t *tape) erase(from, to int64) {
	to = min(to, from+tapeFrames)
	if t.pcm == nil || from >= to {
		return
	}
	a, b := 2*(from&(tapeFrames-1)), 2*(to&(tapeFrames-1))
	if a < b {
		clear(t.pcm[a:b])
		return
	}
	clear(t.pcm[a:])
	clear(t.pcm[:b])
}
