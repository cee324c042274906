package rtsp_test

import (
	"testing"

	"airplay2mqtt/internal/rtsp"
)

func TestDigestResponses(t *testing.T) {
	const uri = "rtsp://192.168.1.10/1234567890"
	for _, c := range []struct {
		user, realm string
		upper       bool
		method, uri string
		want        string
	}{
		{"iTunes", "raop", false, "ANNOUNCE", uri, "aef8b91de7a6fbd0d24f66ee2240f089"},
		{"iTunes", "raop", true, "ANNOUNCE", uri, "26917A01502D0C308EA60B8DF499651D"},
		{"", "raop", false, "ANNOUNCE", uri, "cd9439370d988515055b922d07802cdb"},
		{"", "raop", true, "ANNOUNCE", uri, "76A4FEF46E1ACCE27B20AF1A7F861A69"},
		{"AirPlay", "airplay", false, "ANNOUNCE", uri, "03153c68358a411c82bc09474506ff27"},
		{"iTunes", "raop", false, "OPTIONS", "*", "a23df4dfceca2e047c2b04190e4a3d54"},
	} {
		d := rtsp.Digest{Challenge: rtsp.Challenge{Realm: c.realm, Nonce: "jpQdjBveIvw"},
			Username: c.user, Password: "secret", Upper: c.upper}
		if got := d.Response(c.method, c.uri); got != c.want {
			t.Errorf("%s/%s %s: got %s, want %s", c.user, c.realm, c.method, got, c.want)
		}
		if !d.Verify(d.Authorization(c.method, c.uri), c.method) {
			t.Errorf("%s/%s %s: not verified", c.user, c.realm, c.method)
		}
	}
}

var challenges = []struct {
	text string
	want rtsp.Challenge
	ok   bool
}{
	{`Digest realm="raop", nonce="jpQdjBveIvw"`, rtsp.Challenge{Realm: "raop", Nonce: "jpQdjBveIvw"}, true},
	{`Digest realm="a, b", nonce="a=b,c=="`, rtsp.Challenge{Realm: "a, b", Nonce: "a=b,c=="}, true},
	{`digest NONCE=abc==, realm=raop , opaque="x\"y\\z", algorithm=MD5, qop="auth,auth-int", stale=TRUE`,
		rtsp.Challenge{Realm: "raop", Nonce: "abc==", Opaque: `x"y\z`, Stale: true}, true},
	{`Basic realm="x", Digest realm="raop",nonce="n"`, rtsp.Challenge{Realm: "raop", Nonce: "n"}, true},
	{`Digest stray, nonce="n"`, rtsp.Challenge{Nonce: "n"}, true},
	{`Digest realm="raop"`, rtsp.Challenge{}, false},
	{`Digest nonce="unclosed`, rtsp.Challenge{Nonce: "unclosed"}, true},
	{`Basic realm="raop"`, rtsp.Challenge{}, false},
	{``, rtsp.Challenge{}, false},
}

func TestChallengesAreParsed(t *testing.T) {
	for _, c := range challenges {
		if got, ok := rtsp.ParseChallenge(c.text); got != c.want || ok != c.ok {
			t.Errorf("%s: got %+v, %v, want %+v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestAuthorizationSurvivesQuotes(t *testing.T) {
	d := rtsp.Digest{Challenge: rtsp.Challenge{Realm: `my "raop"`, Nonce: `a\b`, Opaque: "o,p"}, Username: "iTunes", Password: "secret"}
	if !d.Verify(d.Authorization("SETUP", "*"), "SETUP") {
		t.Errorf("not verified: %s", d.Authorization("SETUP", "*"))
	}
}

func FuzzParseChallenge(f *testing.F) {
	for _, c := range challenges {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) { rtsp.ParseChallenge(s) })
}
