package raop_test

import (
	"maps"
	"strings"
	"testing"

	"airplay2mqtt/raop"

	"github.com/google/go-cmp/cmp"
)

// txt reads "key=value key=value".
func txt(s string) map[string]string {
	t := make(map[string]string)
	for word := range strings.FieldsSeq(s) {
		k, v, _ := strings.Cut(word, "=")
		t[k] = v
	}
	return t
}

// Records as seen in the wild, shortened.
const (
	airportG       = "tp=TCP,UDP sm=false sv=false ek=1 et=0,1 cn=0,1 ch=2 ss=16 sr=44100 pw=false vn=3 txtvers=1"
	airportN       = "am=AirPort4,107 et=0,1 cn=0,1 tp=UDP pw=false"
	airport2012    = "am=AirPort10,115 et=0,4 cn=0,1 tp=UDP md=0,1,2 vs=105.1 features=0x445D0A00,0x1C340"
	appleTV2       = "am=AppleTV2,1 vs=130.14 vn=65537 tp=UDP sf=0x4 et=0,3,5 cn=0,1,2,3 md=0,1,2 da=true pw=false ch=2 ss=16 sr=44100"
	appleTV4       = "am=AppleTV5,3 et=0,3,5 cn=0,1,2,3 md=0,1,2 da=true tp=UDP ft=0x5A7FFFF7,0x155FDE sf=0x10244 pk=aabb"
	homePod        = "am=AudioAccessory1,1 cn=0,1,2,3 et=0,3,5 ft=0x4A7FCA00,0x56BD0 sf=0x404 md=0,1,2 da=true tp=UDP vs=366.0"
	sonyAVR        = "am=STR-DN1040 vs=141.9 md=0,2 ft=0x44F0A00 et=0,4 cn=0,1 pw=false"
	marantz        = "am=NR1607 vs=190.9.p6 et=0,4 cn=0,1 md=0,1,2 ft=0x444F8A00 manufacturer=Marantz"
	sonosOne       = "am=One manufacturer=Sonos et=0,4 cn=0,1 vs=366.0 features=0x445F8A00,0x1C340"
	shairport      = "am=ShairportSync vs=105.1 tp=TCP,UDP vn=65537 md=0,1,2 et=0,1 ek=1 cn=0,1 ch=2 ss=16 sr=44100 da=true sv=false sf=0x4 fv=3.3.8 pw=false txtvers=1"
	shairport5     = "cn=0,1 da=true et=0,1 ft=0x405C4A00,0x1C340 sf=0x4 am=ShairportSync pk=aabb tp=UDP vn=65537 vs=366.0 ov=15.0"
	airfoil        = "rast=afs raver=3.5.3.0 ek=1 et=0,1 cn=0,1 md=0,1,2 tp=UDP vn=3 pw=false"
	encryptedOnly  = "am=Box1,1 et=1 cn=1"
	amplifier2016  = "am=AV7703 vs=220.68 et=0,4 cn=0,1"
	withPassword   = "am=ShairportSync et=0,1 da=true pw=true"
	passwordInFlag = "am=ShairportSync et=0,1 da=true sf=0x84"
)

func TestWhichAuthenticationIsTriedFirst(t *testing.T) {
	for _, c := range []struct {
		name, record string
		want         raop.Auth
	}{
		{"AirPort Express g", airportG, raop.AuthRSA},
		{"AirPort Express n", airportN, raop.AuthRSA},
		{"AirPort Express 2012", airport2012, raop.AuthSetup},
		{"Apple TV 2", appleTV2, raop.AuthNone},
		{"Apple TV 4", appleTV4, raop.AuthNone},
		{"HomePod", homePod, raop.AuthNone},
		{"Sony", sonyAVR, raop.AuthNone},
		{"Marantz", marantz, raop.AuthNone},
		{"Sonos One", sonosOne, raop.AuthSetup},
		{"shairport-sync", shairport, raop.AuthNone},
		{"shairport-sync 5", shairport5, raop.AuthNone},
		{"Airfoil Speakers", airfoil, raop.AuthRSA},
		{"encrypted only", encryptedOnly, raop.AuthRSA},
		{"amplifier of 2016", amplifier2016, raop.AuthNone},
		{"nothing said", "", raop.AuthNone},
	} {
		got, reason := raop.ParseInfo(txt(c.record)).Auth()
		if got != c.want || reason == "" {
			t.Errorf("%s: got %s (%s), want %s", c.name, got, reason, c.want)
		}
	}
}

func TestInfoIsParsed(t *testing.T) {
	for _, c := range []struct {
		record string
		want   raop.Info
	}{
		{"", raop.Info{}},
		{shairport, raop.Info{Model: "ShairportSync", Version: "105.1", Codecs: raop.ListOf(0, 1), Encryption: raop.ListOf(0, 1),
			Metadata: raop.ListOf(0, 1, 2), RFC2617: true, Flags: 4}},
		{withPassword, raop.Info{Model: "ShairportSync", Encryption: raop.ListOf(0, 1), RFC2617: true, Password: true}},
		{passwordInFlag, raop.Info{Model: "ShairportSync", Encryption: raop.ListOf(0, 1), RFC2617: true, Password: true, Flags: 0x84}},
		{"AM=X et=,,9,-1,99,x TP=tcp ft=garbage acl=1 pk=ab", raop.Info{Model: "X", Encryption: raop.ListOf(9), NoUDP: true,
			FeaturesSaid: true, OwnersOnly: true, PublicKey: true}},
		{"model=New am=Old features=0x1,0x2 ft=0x3 flags=0x8 sf=0x4", raop.Info{Model: "New", Features: 0x200000001, FeaturesSaid: true, Flags: 8}},
	} {
		if diff := cmp.Diff(c.want, raop.ParseInfo(txt(c.record))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.record, diff)
		}
	}
}

func TestWhatIsUnplayableSaysWhy(t *testing.T) {
	for _, c := range []struct {
		record string
		want   string // a part of the sentence; "" for playable ones
	}{
		{airportG, ""}, {airport2012, ""}, {homePod, ""}, {sonosOne, ""}, {shairport5, ""}, {"", ""},
		{"tp=TCP am=X", "TCP"},
		{"am=X ft=0x1", "sound"},
		{"am=X ft=garbage", ""},
		{"am=X act=2", "Apple home"},
		{"am=AudioAccessory5,1 vs=980.1", "OS 27"},
		{"am=AudioAccessory5,1 srcvers=979.9", ""},
		{"am=AudioAccessory5,1 vs=hello", ""},
		{"manufacturer=Samsung model=QE65", "Samsung"},
		{"am=UPL-AMP", "AirPlay 2"},
	} {
		got := raop.ParseInfo(txt(c.record)).Unplayable()
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", c.record, got, c.want)
		}
	}
	era := raop.ParseInfo(map[string]string{"model": "Era 100", "manufacturer": "Sonos"})
	if era.Unplayable() == "" {
		t.Error("Era 100: got nothing, want a reason")
	}
}

func FuzzParseInfo(f *testing.F) {
	for _, record := range []string{airportG, airport2012, homePod, shairport, ""} {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record string) {
		info := raop.ParseInfo(txt(record))
		info.Auth()
		info.Unplayable()
		again := raop.ParseInfo(maps.Clone(txt(record)))
		if info != again {
			t.Errorf("got %+v, want %+v", again, info)
		}
	})
}
