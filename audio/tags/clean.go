package tags

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is how many characters of a text are kept. A title is a line on a
// display; what is longer is a mistake or an attack.
const maxLine = 1000

// Clean makes a text from a file fit to be shown and sent: valid UTF-8 on one
// line, without control characters and outer spaces, at most 1000 characters.
// What is not UTF-8 is taken for Latin-1 as Windows writes it, and UTF-8 that
// somebody took for Latin-1 and encoded once more is set right.
func Clean(s string) string {
	if s = dropCutRune(s); !utf8.ValidString(s) {
		s = fromLatin1([]byte(s))
	}
	return oneLine(unmangle(s))
}

// dropCutRune drops an incomplete character from the end of what is UTF-8
// before it: fields of a fixed size are cut anywhere.
func dropCutRune(s string) string {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		head, tail := s[:len(s)-n], s[len(s)-n:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRuneInString(tail) && !isASCII(head) && utf8.ValidString(head) {
				return head
			}
			break
		}
	}
	return s
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// oneLine turns every run of spaces and control characters into one space and
// cuts what is too long.
func oneLine(s string) string {
	var b strings.Builder
	space, kept := false, 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = true
			continue
		case invisible(r):
			continue
		}
		if space && kept > 0 && kept < maxLine-1 {
			b.WriteByte(' ')
			kept++
		}
		if kept >= maxLine {
			break
		}
		b.WriteRune(r)
		space = false
		kept++
	}
	return b.String()
}

// invisible tells characters that show nothing and only confuse: byte order
// marks, the mark of a failed decoding, line separators, and overrides of the
// writing direction, which could make a title lie.
func invisible(r rune) bool {
	switch {
	case r == 0xfeff, r == unicode.ReplacementChar, r == 0xfffe, r == 0xffff:
		return true
	case r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// unmangle undoes UTF-8 that was read as Latin-1 and encoded again: "KÃ¼che".
// It does so only where the whole text agrees, which no honest text does.
func unmangle(s string) string {
	b := make([]byte, 0, len(s))
	wide := false
	for _, r := range s {
		if r > 0xff {
			return s
		}
		wide = wide || r >= 0x80
		b = append(b, byte(r))
	}
	if !wide || !utf8.Valid(b) {
		return s
	}
	return string(b)
}

// fromLatin1 decodes Latin-1, and in the range where that has only control
// characters, Windows-1252.
func fromLatin1(b []byte) string {
	var s strings.Builder
	s.Grow(len(b) + len(b)/8)
	for _, c := range b {
		if c >= 0x80 && c < 0xa0 {
			s.WriteRune(windows1252[c-0x80])
			continue
		}
		s.WriteRune(rune(c))
	}
	return s.String()
}

// windows1252 is what Windows has between 0x80 and 0x9f. Five places are empty.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}
