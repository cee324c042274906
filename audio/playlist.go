package audio

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"airplay2mqtt/audio/tags"
)

const (
	// playlistSize is how many bytes of a playlist are read.
	playlistSize = 256 << 10
	// entriesAtMost is how many entries of a playlist or a folder are looked at.
	entriesAtMost = 1000
)

// An Entry is a sound that a playlist or a folder names.
type Entry struct {
	Location string        // a path or a URL, for Open
	Title    string        // as the playlist says; "": it does not
	Duration time.Duration // as the playlist says; zero: it does not
}

// parsePlaylist finds the entries of a playlist, M3U, PLS or XSPF, in their
// order. Their locations are as they were written.
func parsePlaylist(text []byte) []Entry {
	s := strings.TrimPrefix(string(text), "\ufeff")
	if strings.HasPrefix(strings.TrimSpace(s), "<") {
		return parseXSPF(s)
	}
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > 0 && strings.EqualFold(strings.TrimSpace(lines[0]), "[playlist]") {
		return parsePLS(lines[1:])
	}
	return parseM3U(lines)
}

// parseM3U reads one entry a line, before which may stand what it is:
//
//	#EXTINF:123,Artist - Title
//	http://…
func parseM3U(lines []string) (entries []Entry) {
	var next Entry
	for _, line := range lines {
		line = entry(line)
		if info, ok := strings.CutPrefix(line, "#EXTINF:"); ok {
			next.Duration, next.Title = parseInfo(info)
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		next.Location = line
		if entries = append(entries, next); len(entries) == entriesAtMost {
			break
		}
		next = Entry{}
	}
	return entries
}

// parseInfo reads "123 key="value",Artist - Title".
func parseInfo(s string) (time.Duration, string) {
	length, title, _ := strings.Cut(s, ",")
	length, _, _ = strings.Cut(length, " ")
	return seconds(length), tags.Clean(title)
}

// seconds reads how long something sounds; what is no such number is 0, which is
// unknown. So is -1, which stands for endless.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f > 0 && f < 1e6) {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// parsePLS reads lines like File1=http://…, Title1=… and Length1=…, which may
// come in any order.
func parsePLS(lines []string) []Entry {
	found := make(map[int]*Entry)
	for _, line := range lines {
		key, value, ok := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		name := strings.TrimRight(key, "0123456789")
		n, err := strconv.Atoi(key[len(name):])
		value = entry(value)
		if !ok || err != nil || value == "" || name != "file" && name != "title" && name != "length" {
			continue
		}
		e := found[n]
		if e == nil {
			if len(found) == entriesAtMost {
				continue
			}
			e = &Entry{}
			found[n] = e
		}
		switch name {
		case "file":
			e.Location = value
		case "title":
			e.Title = tags.Clean(value)
		case "length":
			e.Duration = seconds(value)
		}
	}
	var numbers []int
	for n, e := range found {
		if e.Location != "" {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var entries []Entry
	for _, n := range numbers {
		entries = append(entries, *found[n])
	}
	return entries
}

// entry is a line without outer spaces, in UTF-8. Old lists are in Latin-1.
func entry(line string) string {
	line = strings.TrimSpace(line)
	if utf8.ValidString(line) {
		return line
	}
	return latin1(line)
}

func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
