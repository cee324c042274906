package bridge

import (
	"sync"
	"time"
)

// An occupancy is whether somebody else plays on a device, as far as it says so:
// by a flag of what it announces, which it also sets for us, and by a speaker's
// word that another input was chosen. Its methods may be called from any
// goroutine.
type occupancy struct {
	mu    sync.Mutex
	flag  bool      // somebody plays, it announces
	other bool      // and that is not us
	input bool      // another input was chosen on it
	open  int       // sessions of ours
	left  time.Time // when the last one was over
}

// fades is how long the flag may stay after a session of ours.
const fades = 10 * time.Second

// announced takes over the flag.
func (o *occupancy) announced(flag bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flag = flag
	o.other = flag && o.open == 0 && time.Since(o.left) > fades
}

// chosen takes over that another input was, or is no more.
func (o *occupancy) chosen(input bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.input = input
}

// begin is called when a session of ours begins: then nobody else has the device.
func (o *occupancy) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open++
	o.other, o.input = false, false
}

// end is called when it is over.
func (o *occupancy) end(takenOver bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open--
	o.left = time.Now()
	o.other = takenOver && o.flag
}

func (o *occupancy) busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.other || o.input
}

// tellBusy tells whether somebody else plays on a device, if that is news.
func (d *device) tellBusy() { d.face.setBusy(d.occupancy.busy()) }

// setBusy takes that over.
func (f *face) setBusy(busy bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy == busy {
		return
	}
	f.busy = busy
	if f.shown {
		f.tellSoon()
	}
}

// occupied puts it into a document.
func (d document) occupied(busy bool) document {
	d.Busy = busy
	if busy && d.State == "idle" {
		d.Activity = "external"
	}
	return d
}
