package bridge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"airplay2mqtt/airplay/mediaserver"
	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/player"
)

// secretKeys are those of play_url that the server of an address wants to see,
// and nobody else is to.
var secretKeys = []string{"headers", "cookies", "username", "password"}

const (
	headersMost     = 20
	headerBytesMost = 8 << 10
)

// headerName is what the name of a header may be made of.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// ourHeaders are those that say how something is fetched, which is our affair.
var ourHeaders = []string{
	"Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Accept-Encoding",
	"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Keep-Alive", "Proxy-Authorization",
}

// signature reads what the server of an address wants to see, into a play.
func (f fields) signature(p *player.Play) error {
	header, err := f.headers()
	if err != nil {
		return err
	}
	cookies, err := f.cookies()
	if err != nil {
		return err
	}
	if cookies != "" {
		header.Add("Cookie", cookies)
	}
	size := 0
	for name, values := range header {
		size += len(name) + len(strings.Join(values, ""))
	}
	if len(header) > headersMost || size > headerBytesMost {
		return bad("at most %d headers, and %d bytes of them, are sent", headersMost, headerBytesMost)
	}
	if len(header) > 0 {
		p.Header = header
	}
	return f.login(p)
}

func (f fields) headers() (http.Header, error) {
	header := http.Header{}
	said := map[string]string{}
	if raw, ok := f["headers"]; ok && json.Unmarshal(raw, &said) != nil {
		return nil, bad(`headers must be an object of texts, such as {"Referer":"http://nas/"}`)
	}
	for name, value := range said {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !headerName.MatchString(name), strings.ContainsFunc(value, isControl):
			return nil, bad("%s is no header that can be sent", short([]byte(fmt.Sprintf("%q", name))))
		case slices.Contains(ourHeaders, canonical):
			return nil, bad("the header %s is the bridge's own affair", canonical)
		}
		header.Set(name, value)
	}
	return header, nil
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// cookies are given as a text, as a browser sends it, or by their names.
func (f fields) cookies() (string, error) {
	raw, ok := f["cookies"]
	if !ok {
		return "", nil
	}
	var text string
	named := map[string]string{}
	switch {
	case json.Unmarshal(raw, &text) == nil:
	case json.Unmarshal(raw, &named) == nil:
		var list []string
		for name, value := range named {
			list = append(list, name+"="+value)
		}
		slices.Sort(list)
		text = strings.Join(list, "; ")
	default:
		return "", bad(`cookies must be a text ("a=1; b=2") or an object ({"a":"1"})`)
	}
	if strings.ContainsFunc(text, isControl) {
		return "", bad("a cookie holds what cannot be sent")
	}
	return text, nil
}

// login writes a user and a password into the address.
func (f fields) login(p *player.Play) error {
	name, err := f.text("username")
	if err != nil {
		return bad("username must be a text")
	}
	password, err := f.text("password")
	switch {
	case err != nil:
		return bad("password must be a text")
	case name == "" && password == "":
		return nil
	case name == "":
		return bad("a password is given without a username")
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return bad("the URL cannot be understood")
	}
	u.User = url.UserPassword(name, password)
	p.URL = u.String()
	return nil
}

// signs gives an opener the headers of a play, for its host and no other.
func signs(o *audio.Opener, p player.Play) *audio.Opener {
	home, err := url.Parse(p.URL)
	if len(p.Header) == 0 || err != nil {
		return o
	}
	signed := *o
	signed.Sign = func(req *http.Request) {
		ours := same(req.URL, home)
		for name, values := range p.Header {
			if req.Header.Del(name); ours {
				req.Header[name] = values
			}
		}
	}
	return &signed
}

func same(u, home *url.URL) bool { return u.Scheme == home.Scheme && u.Host == home.Host }

// sameHost tells whether what is for one address is for another as well.
func sameHost(address, other string) bool {
	home, err := url.Parse(address)
	u, wrong := url.Parse(other)
	return err == nil && wrong == nil && same(u, home)
}

// sourceOf is where the address of a play leads, through our own connections.
func (b *Bridge) sourceOf(p player.Play) mediaserver.Source {
	return mediaserver.Source{URL: p.URL, Header: p.Header, TLS: b.opener.TLS, DialContext: b.opener.DialContext}
}
