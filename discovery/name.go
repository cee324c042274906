package discovery

import (
	"strings"
	"unicode"
)

// A service is one of the two under which receivers announce themselves.
type service uint8

const (
	raop service = iota
	airplay
)

var services = [...]service{raop, airplay}

// String is the service's type, as it stands in names.
func (s service) String() string {
	if s == raop {
		return "_raop._tcp"
	}
	return "_airplay._tcp"
}

// domain is the service's type with the domain, as names in DNS end.
func (s service) domain() string { return s.String() + ".local." }

// instanceOf splits the name of a service instance into the service and the
// label before it, still escaped. Names have the presentation form of DNS.
func instanceOf(name string) (s service, label string, ok bool) {
	for _, s := range services {
		rest := len(name) - len(s.domain()) - 1
		if rest <= 0 || name[rest] != '.' || fold(name[rest+1:]) != s.domain() {
			continue
		}
		return s, name[:rest], firstDot(name) == rest
	}
	return 0, "", false
}

// serviceOf finds the service of a type's name, such as _raop._tcp.local.
func serviceOf(name string) (service, bool) {
	for _, s := range services {
		if fold(name) == s.domain() {
			return s, true
		}
	}
	return 0, false
}

// fold makes names comparable: DNS does not know upper from lower case.
func fold(name string) string { return strings.ToLower(name) }

// firstDot is where the first label of an escaped name ends, or -1.
func firstDot(name string) int {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '.':
			return i
		}
	}
	return -1
}

// unescape turns the presentation form of DNS, `K\195\188che\ \(1\)`, back into
// bytes: a backslash and three digits are a byte, a backslash and anything
// else is that.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		if n, ok := decimalByte(s[i:]); ok {
			b = append(b, n)
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// decimalByte reads the three digits of an escaped byte.
func decimalByte(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s[:3]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return byte(n), n < 256
}

// escape is the inverse of unescape, in exactly the form that packages zeroconf
// and dns make of a label they read: zeroconf compares names as strings.
func escape(label string) string {
	var b strings.Builder
	for i := range len(label) {
		switch c := label[i]; {
		case strings.IndexByte(`. '@;()"\`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			b.WriteString(escapedByte(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func escapedByte(c byte) string {
	return string([]byte{'\\', '0' + c/100, '0' + c/10%10, '0' + c%10})
}

// clean makes a label fit to be shown: valid UTF-8 (a long name may have been
// cut within a letter), no control characters, no blanks around it.
func clean(label string) string {
	label = strings.ToValidUTF8(label, "")
	label = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, label)
	return strings.TrimSpace(label)
}
