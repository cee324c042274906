package airplay_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"airplay2mqtt/airplay"
)

const (
	legacyCredentials = "D9B75D737BE2F0F1:6A26D8EB6F4AE2408757D5CA5FF9C37E96BEBB22C632426C4A02AD4FA895A85B"
	// of pyatv's fake device
	hapCredentials = "e734ea6c2b6257de72355e472aa05a4c487e6b463c029ed306df2f01b5636b58:80fd8265b0748da90bc5c5294dabe394d3d47199994ae96ac73ee45c783537b1:35443739374644332d333533382d343237452d413437422d413332464336434633413641:34443739374644332d333533382d343237452d413437422d413332464336434633413641"
)

func credentials(t *testing.T, s string) airplay.Credentials {
	t.Helper()
	c, err := airplay.ParseCredentials(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhichAuthenticationWhen(t *testing.T) {
	const (
		appleTV4K = "model=AppleTV6,2 features=0x4A7FDFD5,0x3C177FDE flags=0x10644 pk=" + pk
		appleTV3  = "am=AppleTV3,1 vs=200.54 sf=0x244 pk=" + pk + " ft=0x5A7FFFF7,0xE"
		homePod   = "model=AudioAccessory5,1 features=0x4A7FCA00,0x3C356BD0 flags=0x404 pk=" + pk
		shairport = "am=ShairportSync ft=0x405FCA00,0x18340 sf=0x84 vs=366.0 pk=" + pk
		mac       = "model=Mac14,2 features=0x4A7FDFD5,0x3C177FDE pk=" + pk
		classic   = "am=ShairportSync vs=105.1 et=0,1 ek=1 sf=0x4 pw=true"
	)
	hap, legacy := credentials(t, hapCredentials), credentials(t, legacyCredentials)
	key, _ := hex.DecodeString(pk)
	other := append([]byte{1}, key[1:]...)
	for _, c := range []struct {
		name, txt string
		known     airplay.Known
		protocol  airplay.Protocol
		pairing   airplay.Pairing
		missing   bool
	}{
		{"Apple TV 4K", appleTV4K, airplay.Known{}, airplay.AirPlay2, airplay.PINPairing, true},
		{"the same, paired", appleTV4K, airplay.Known{Credentials: hap, Key: key}, airplay.AirPlay2, airplay.VerifiedPairing, false},
		{"the same, paired by pyatv, which keeps no announced key", appleTV4K, airplay.Known{Credentials: hap}, airplay.AirPlay2, airplay.VerifiedPairing, false},
		{"the same, reset since", appleTV4K, airplay.Known{Credentials: hap, Key: other}, airplay.AirPlay2, airplay.PINPairing, true},
		{"the same, paired for AirPlay 1", appleTV4K, airplay.Known{Credentials: legacy}, airplay.AirPlay2, airplay.PINPairing, true},
		{"the same, by AirPlay 1", appleTV4K, airplay.Known{Credentials: legacy, Protocol: airplay.AirPlay1}, airplay.AirPlay1, airplay.LegacyVerified, false},
		{"the same, by AirPlay 1 and not paired", appleTV4K, airplay.Known{Protocol: airplay.AirPlay1}, airplay.AirPlay1, airplay.LegacyPairing, true},
		{"Apple TV 3 with a PIN", appleTV3, airplay.Known{}, airplay.AirPlay1, airplay.LegacyPairing, true},
		{"the same, paired", appleTV3, airplay.Known{Credentials: legacy}, airplay.AirPlay1, airplay.LegacyVerified, false},
		{"HomePod", homePod, airplay.Known{}, airplay.AirPlay2, airplay.TransientPairing, false},
		{"HomePod of a home", homePod + " acl=1", airplay.Known{}, airplay.AirPlay2, airplay.Unsupported, true},
		{"HomePod of a home, paired all the same", homePod + " acl=1", airplay.Known{Credentials: hap}, airplay.AirPlay2, airplay.VerifiedPairing, false},
		{"shairport-sync with an unknown password", shairport, airplay.Known{}, airplay.AirPlay2, airplay.PasswordPairing, true},
		{"shairport-sync with a password", shairport, airplay.Known{Password: "x"}, airplay.AirPlay2, airplay.PasswordPairing, false},
		{"a classic receiver with a password", classic, airplay.Known{Password: "x"}, airplay.AirPlay1, airplay.Digest, false},
		{"a Mac", mac, airplay.Known{}, airplay.AirPlay2, airplay.ExperimentalPIN, true},
		{"a Libratone that is forced", "model=Zipp features=0x444C0A00", airplay.Known{Protocol: airplay.AirPlay2}, airplay.AirPlay2, airplay.NoPairing, false},
		{"nothing", "", airplay.Known{}, airplay.AirPlay1, airplay.NoPairing, false},
	} {
		d := airplay.Decide(airplay.ParseInfo(txt(c.txt)), c.known)
		if d.Protocol != c.protocol || d.Pairing != c.pairing || d.Missing != c.missing || d.Why == "" {
			t.Errorf("%s: got %s, %s, missing %v (%s), want %s, %s, %v", c.name, d.Protocol, d.Pairing, d.Missing, d.Why, c.protocol, c.pairing, c.missing)
		}
		if changed := strings.HasSuffix(c.name, "reset since"); d.KeyChanged != changed {
			t.Errorf("%s: key changed: got %v", c.name, d.KeyChanged)
		}
	}
}

func TestEveryKnownReceiverIsDecidedOn(t *testing.T) {
	for _, r := range receivers {
		d := airplay.Decide(airplay.ParseInfo(txt(r.txt)), airplay.Known{})
		if d.Pairing != r.pairing || d.Why == "" || (d.Protocol == airplay.AirPlay2) != r.airplay2 {
			t.Errorf("%s: got %s, %s (%s), want %s", r.name, d.Protocol, d.Pairing, d.Why, r.pairing)
		}
	}
}

func TestWhatIsRefusedWantsAPIN(t *testing.T) {
	for _, c := range []struct {
		was  airplay.Decision
		want airplay.Pairing
		ok   bool
	}{
		{airplay.Decision{Protocol: airplay.AirPlay2, Pairing: airplay.TransientPairing}, airplay.PINPairing, true},
		{airplay.Decision{Protocol: airplay.AirPlay2, Pairing: airplay.VerifiedPairing}, airplay.PINPairing, true},
		{airplay.Decision{Protocol: airplay.AirPlay1, Pairing: airplay.NoPairing}, airplay.LegacyPairing, true},
		{airplay.Decision{Protocol: airplay.AirPlay1, Pairing: airplay.LegacyVerified}, airplay.LegacyPairing, true},
		{airplay.Decision{Protocol: airplay.AirPlay2, Pairing: airplay.PINPairing}, airplay.PINPairing, false},
		{airplay.Decision{Protocol: airplay.AirPlay2, Pairing: airplay.Unsupported}, airplay.Unsupported, false},
	} {
		got, ok := c.was.Refused()
		if got.Pairing != c.want || ok != c.ok || ok && (!got.Missing || got.Why == "") {
			t.Errorf("%s by %s: got %s, %v, want %s, %v", c.was.Pairing, c.was.Protocol, got.Pairing, ok, c.want, c.ok)
		}
	}
}

func TestCredentialsAreReadAndWrittenAsPyatvDoes(t *testing.T) {
	for _, s := range []string{legacyCredentials, hapCredentials} {
		c := credentials(t, " "+s+"\n")
		if c.Text() != s || c.Legacy() != (s == legacyCredentials) || c.None() {
			t.Errorf("got %s, want %s", c.Text(), s)
		}
	}
	for _, s := range []string{"", ":", "a:b", "a:b:c:d", hapCredentials[2:], legacyCredentials + ":", "transient"} {
		if _, err := airplay.ParseCredentials(s); !errors.Is(err, airplay.ErrCredentials) {
			t.Errorf("%q: got %v, want ErrCredentials", s, err)
		}
	}
}

func TestCredentialsDoNotShowThemselves(t *testing.T) {
	c := credentials(t, hapCredentials)
	for _, said := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", c, c, c, c)} {
		if bytes.Contains([]byte(strings.ToLower(said)), []byte("80fd8265")) || strings.Contains(said, "128 253") {
			t.Errorf("got %s", said)
		}
	}
	if (airplay.Credentials{}).Text() != "" || fmt.Sprint(airplay.Credentials{}) != "none" {
		t.Error("got something of nothing")
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add(legacyCredentials)
	f.Add(hapCredentials)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := airplay.ParseCredentials(s)
		if err != nil {
			return
		}
		again, err := airplay.ParseCredentials(c.Text())
		if err != nil || again.Text() != c.Text() {
			t.Errorf("%q: got %q, then %q, %v", s, c.Text(), again.Text(), err)
		}
	})
}

func ExampleDecide() {
	info := airplay.ParseInfo(map[string]string{"model": "AppleTV6,2", "features": "0x4A7FDFD5,0x3C177FDE", "flags": "0x10644", "pk": pk})
	d := airplay.Decide(info, airplay.Known{})
	fmt.Println(d.Protocol, d.Pairing, d.Missing)
	// Output: airplay2 pin true
}
