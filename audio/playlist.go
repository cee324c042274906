package audio

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// playlistSize is how many bytes of a playlist are read.
const playlistSize = 256 << 10

// entriesAtMost is how many entries of a playlist are looked at.
const entriesAtMost = 1000

// parsePlaylist finds the entries of a playlist, M3U or PLS, in their order.
func parsePlaylist(text []byte) []string {
	s := strings.TrimPrefix(string(text), "\ufeff")
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > 0 && strings.EqualFold(strings.TrimSpace(lines[0]), "[playlist]") {
		return parsePLS(lines[1:])
	}
	var entries []string
	for _, line := range lines {
		line = entry(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if entries = append(entries, line); len(entries) == entriesAtMost {
			break
		}
	}
	return entries
}

// parsePLS reads lines like File1=http://…, which may come in any order.
func parsePLS(lines []string) []string {
	type numbered struct {
		n     int
		entry string
	}
	var found []numbered
	for _, line := range lines {
		key, value, ok := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !ok || !strings.HasPrefix(key, "file") {
			continue
		}
		n, err := strconv.Atoi(key[len("file"):])
		value = entry(value)
		if err != nil || value == "" {
			continue
		}
		if found = append(found, numbered{n, value}); len(found) == entriesAtMost {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b numbered) int { return a.n - b.n })
	var entries []string
	for _, f := range found {
		entries = append(entries, f.entry)
	}
	return entries
}

// entry is a line without outer spaces, in UTF-8. Old lists are in Latin-1.
func entry(line string) string {
	line = strings.TrimSpace(line)
	if utf8.ValidString(line) {
		return line
	}
	runes := make([]rune, len(line))
	for i := range len(line) {
		runes[i] = rune(line[i])
	}
	return string(runes)
}
