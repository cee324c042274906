// Package nearest finds the word that somebody meant to write.
package nearest

import "strings"

// Word returns the one of words that is closest to what was written, or ""
// where none is close enough to be what was meant.
func Word(written string, words []string) string {
	best, least := "", 1+len(written)/3
	for _, w := range words {
		if d := distance(strings.ToLower(written), strings.ToLower(w)); d <= least && (best == "" || d < least) {
			best, least = w, d
		}
	}
	return best
}

// Hint is Word as the end of a sentence: `, did you mean "volume"?`, or "".
func Hint(written string, words []string) string {
	if w := Word(written, words); w != "" {
		return `, did you mean "` + w + `"?`
	}
	return ""
}

// distance is the number of bytes to insert, delete, replace or swap with
// their neighbour (Damerau, Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var before, last, row [65]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
