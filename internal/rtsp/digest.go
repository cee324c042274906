package rtsp

import (
	"crypto/md5"
	"fmt"
	"strings"
)

// A Challenge is what a 401 wants to be answered, as in RFC 2069.
type Challenge struct {
	Realm, Nonce, Opaque string
	Stale                bool // the password was right, the nonce too old
}

// ParseChallenge reads the value of WWW-Authenticate. It is false if that
// holds no digest challenge.
func ParseChallenge(value string) (Challenge, bool) {
	p, ok := digestParams(value)
	if !ok || p["nonce"] == "" {
		return Challenge{}, false
	}
	return Challenge{
		Realm:  p["realm"],
		Nonce:  p["nonce"],
		Opaque: p["opaque"],
		Stale:  strings.EqualFold(p["stale"], "true"),
	}, true
}

// A Digest answers challenges.
type Digest struct {
	Challenge
	Username, Password string
	// Upper writes hexadecimal digits in upper case, also where they are
	// hashed again: AirPort Express of the first generation wants it (docs/protocols/raop.md,
	// digest).
	Upper bool
}

// Response returns the digest for a request.
func (d Digest) Response(method, uri string) string {
	user := d.hash(d.Username + ":" + d.Realm + ":" + d.Password)
	request := d.hash(method + ":" + uri)
	return d.hash(user + ":" + d.Nonce + ":" + request)
}

func (d Digest) hash(s string) string {
	if d.Upper {
		return fmt.Sprintf("%X", md5.Sum([]byte(s)))
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(s)))
}

// Authorization returns the value of that header for a request.
func (d Digest) Authorization(method, uri string) string {
	s := fmt.Sprintf("Digest username=%s, realm=%s, nonce=%s, uri=%s, response=%s",
		quote(d.Username), quote(d.Realm), quote(d.Nonce), quote(uri), quote(d.Response(method, uri)))
	if d.Opaque != "" {
		s += ", opaque=" + quote(d.Opaque)
	}
	return s
}

// Verify tells a receiver whether the value of an Authorization header is the
// answer to its challenge.
func (d Digest) Verify(authorization, method string) bool {
	p, ok := digestParams(authorization)
	d.Username = p["username"]
	return ok && p["nonce"] == d.Nonce && p["opaque"] == d.Opaque && p["response"] == d.Response(method, p["uri"])
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// digestParams reads `Digest name=value, name="value"`, names in lower case.
// Values may be quoted and may hold anything; what is no parameter is left out.
func digestParams(s string) (map[string]string, bool) {
	s, ok := afterScheme(s, "digest ")
	if !ok {
		return nil, false
	}
	params := make(map[string]string)
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		if j := strings.LastIndexByte(name, ','); j >= 0 {
			name = name[j+1:] // what stood before had no value
		}
		var value string
		value, s = paramValue(strings.TrimLeft(rest, " \t"))
		if name = strings.ToLower(strings.TrimSpace(name)); params[name] == "" {
			params[name] = value
		}
	}
	return params, true
}

// afterScheme returns what follows a scheme, in whatever case it is written
// and wherever it stands.
func afterScheme(s, scheme string) (string, bool) {
	for ; len(s) >= len(scheme); s = s[1:] {
		if strings.EqualFold(s[:len(scheme)], scheme) {
			return s[len(scheme):], true
		}
	}
	return "", false
}

// paramValue cuts a value, quoted or bare, and the comma behind it.
func paramValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			_, rest, _ = strings.Cut(s[i+1:], ",")
			return b.String(), rest
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
