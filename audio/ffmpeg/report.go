package ffmpeg

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/audio/tags"
)

// A report is what ffmpeg says, line by line. What it says of the sound is good
// for being shown: nothing depends on it.
type report struct {
	known chan struct{} // closed when it has told what it reads, or tells no more
	once  sync.Once

	mu      sync.Mutex
	line    []byte
	section string // "Input" or "Output"
	said    said
	first   string // of the errors
	last    string
	talked  bool // it is ffmpeg that talks
}

// said is what it told of the sound.
type said struct {
	container, codec string
	duration         time.Duration
}

// maxLine is how much of a line is kept.
const maxLine = 500

func newReport() *report { return &report{known: make(chan struct{})} }

// Write takes what was said, and never refuses.
func (r *report) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for rest := p; len(rest) > 0; {
		end := bytes.IndexAny(rest, "\n\r")
		part := rest[:max(end, 0)]
		if end < 0 {
			part = rest
		}
		r.line = append(r.line, part[:min(len(part), maxLine-len(r.line))]...)
		if end < 0 {
			break
		}
		r.hear(string(r.line))
		r.line = r.line[:0]
		rest = rest[end+1:]
	}
	return len(p), nil
}

// over notes that nothing more will be said.
func (r *report) over() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hear(string(r.line))
	r.line = nil
	r.once.Do(func() { close(r.known) })
}

// levels are those that a line begins with, behind the part of ffmpeg that
// speaks: "[aac @ 0x5581] [error] …". True are those of complaints.
var levels = map[string]bool{
	"panic": true, "fatal": true, "error": true,
	"warning": false, "info": false, "verbose": false, "debug": false,
}

// hear takes a line.
func (r *report) hear(line string) {
	level, text := "", line
	for strings.HasPrefix(text, "[") && level == "" {
		inner, rest, ok := strings.Cut(text[1:], "] ")
		if !ok {
			break
		}
		text = rest
		if _, ok := levels[inner]; ok {
			level = inner
		}
	}
	switch {
	case level == "":
		if !r.talked { // not ffmpeg, but what should have started it
			r.complain(line)
		}
		return
	case levels[level]:
		r.complain(text)
	case level == "info":
		r.describe(text)
	}
	r.talked = true
}

func (r *report) complain(text string) {
	text = tags.Clean(text)
	switch {
	case text == "":
	case r.first == "":
		r.first = text
	default:
		r.last = text
	}
}

// describe reads what it says of the sound:
//
//	Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'pipe:0':
//	  Duration: 00:00:03.02, start: 0.000000, bitrate: N/A
//	  Stream #0:0[0x1](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, …
//	Stream mapping:
func (r *report) describe(text string) {
	if container, ok := strings.CutPrefix(text, "Input #0, "); ok {
		container, _, _ = strings.Cut(container, ",")
		r.said.container, r.section = tags.Clean(container), "Input"
	}
	if strings.HasPrefix(text, "Stream mapping:") {
		r.section = "Output"
		r.once.Do(func() { close(r.known) })
	}
	if r.section != "Input" {
		return
	}
	if d, ok := strings.CutPrefix(text, "  Duration: "); ok {
		d, _, _ = strings.Cut(d, ",")
		r.said.duration = parseClock(d)
	}
	if _, codec, ok := strings.Cut(text, ": Audio: "); ok && strings.HasPrefix(text, "  Stream #0:") && r.said.codec == "" {
		r.said.codec = tags.Clean(codec[:len(codec)-len(strings.TrimLeft(codec, "abcdefghijklmnopqrstuvwxyz0123456789_"))])
	}
}

// parseClock reads hours, minutes and seconds; 0 if it is something else.
func parseClock(s string) time.Duration {
	part := strings.Split(s, ":")
	if len(part) != 3 {
		return 0
	}
	hours, err1 := strconv.ParseUint(part[0], 10, 16)
	minutes, err2 := strconv.ParseUint(part[1], 10, 6)
	seconds, err3 := strconv.ParseFloat(part[2], 64)
	if err1 != nil || err2 != nil || err3 != nil || !(seconds >= 0 && seconds < 60) {
		return 0
	}
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds*float64(time.Second))
}

// wait returns what was said of the sound, which comes before the sound, but on
// another way.
func (r *report) wait() said {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-r.known:
	case <-t.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

// spoke tells whether it was ffmpeg that said anything.
func (r *report) spoke() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.talked
}

// complaint is the first and the last error, fit to follow another text.
func (r *report) complaint() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.first == "":
		return ""
	case r.last == "" || r.last == r.first:
		return ": " + r.first
	}
	return ": " + r.first + "; " + r.last
}
