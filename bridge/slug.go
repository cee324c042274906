package bridge

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// reserved are the words that stand where a device's slug stands in topics.
var reserved = map[string]bool{"bridge": true, "all": true}

// slugOf is a device's name as topics have it: lower case letters, digits and
// underscores. Accents are dropped. A name with nothing left gives "".
func slugOf(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
		case r == 'ß':
			b.WriteString("ss")
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
		default:
			gap = true
		}
	}
	return b.String()
}

// uniqueSlug finds a slug for a device that none of taken has.
func uniqueSlug(name, id string, taken func(slug string) bool) string {
	slug := slugOf(name)
	if slug == "" {
		slug = "device_" + strings.ToLower(id[max(0, len(id)-6):])
	}
	free := func(s string) bool { return !reserved[s] && s != nobody && !taken(s) }
	if free(slug) {
		return slug
	}
	for n := 2; ; n++ {
		if s := slug + "_" + strconv.Itoa(n); free(s) {
			return s
		}
	}
}
