package audio

import "sync"

// titles carries what a radio says that it plays from where it is read, in
// front of the decoder, to where it is heard, behind a Buffer.
type titles struct {
	said struct {
		sync.Mutex
		title string // not yet taken over by the buffer; "": none
		last  string
	}
	marks []mark // oldest first; owned by the buffer
	out   chan string
}

// A mark is a title that begins that many frames behind what is heard now.
type mark struct {
	frames int
	title  string
}

func newTitles() *titles { return &titles{out: make(chan string, 1)} }

// say is called by the one who reads.
func (t *titles) say(title string) {
	if title == "" {
		return
	}
	t.said.Lock()
	defer t.said.Unlock()
	if title == t.said.last {
		return // told again, as after a new connection
	}
	t.said.title, t.said.last = title, title
}

func (t *titles) take() (title string) {
	t.said.Lock()
	defer t.said.Unlock()
	title, t.said.title = t.said.title, ""
	return title
}

// read is called when more frames have been read, behind ready ones. A title
// that was said meanwhile belongs to them.
func (t *titles) read(ready int) {
	if t == nil {
		return
	}
	if title := t.take(); title != "" {
		t.marks = append(t.marks, mark{ready, title})
		t.heard(0)
	}
}

// heard is called when n frames have been taken. Of titles that nobody takes
// from the channel, it keeps the newest.
func (t *titles) heard(n int) {
	if t == nil {
		return
	}
	due := 0
	for i := range t.marks {
		t.marks[i].frames -= n
		if t.marks[i].frames <= 0 {
			due = i + 1
		}
	}
	if due == 0 {
		return
	}
	select {
	case <-t.out:
	default:
	}
	t.out <- t.marks[due-1].title // has room: the buffer is the only one who sends
	t.marks = append(t.marks[:0], t.marks[due:]...)
}
