package airplay_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/airplay"
)

const pk = "2c1b3e9a6f8d4c5b7a0918273645546372819fa0bcd1e2f30415263748596a7b"

// txt makes a record of "key=value key=value".
func txt(s string) map[string]string {
	m := map[string]string{}
	for pair := range strings.FieldsSeq(s) {
		key, value, _ := strings.Cut(pair, "=")
		m[key] = value
	}
	return m
}

// receivers are what real receivers announce, as far as it was written down
// in docs/protocols.
var receivers = []struct {
	name     string
	txt      string
	airplay2 bool
	video    bool
	sound    bool
	pairing  airplay.Pairing
}{
	{"AirPort Express g", "tp=TCP,UDP sm=false sv=false ek=1 et=0,1 cn=0,1 ch=2 ss=16 sr=44100 pw=false vn=3 txtvers=1",
		false, false, true, airplay.NoPairing},
	{"AirPort Express n 2012, firmware 7.6", "am=AirPort10,115 et=0,4", false, false, true, airplay.AuthSetup},
	{"AirPort Express n 2012, firmware 7.8", "am=AirPort10,115 et=0,4 features=0x445D0A00,0x1C340", true, false, true, airplay.TransientPairing},
	{"the same with a password for its speakers", "am=AirPort10,115 et=0,4 features=0x445D0A00,0x1C340 sf=0x20c", true, false, true, airplay.PasswordPairing},
	{"Apple TV 2", "am=AppleTV2,1 vs=130.14 sf=0x4 et=0,3,5 pw=false", false, false, true, airplay.NoPairing},
	{"Apple TV 3", "am=AppleTV3,1 vs=200.54 sf=0x44 pk=" + pk + " ft=0x5A7FFFF7,0xE et=0,3,5", false, true, true, airplay.NoPairing},
	{"Apple TV 3 that asks for a PIN", "am=AppleTV3,1 vs=200.54 sf=0x244 pk=" + pk + " ft=0x5A7FFFF7,0xE", false, true, true, airplay.LegacyPairing},
	{"Apple TV 4", "am=AppleTV5,3 ft=0x5A7FFFF7,0x155FDE sf=0x10244 pk=" + pk, true, true, true, airplay.PINPairing},
	{"Apple TV 4K", "am=AppleTV6,2 ft=0x4A7FFFF7,0x3C155FDE sf=0x30644 pk=" + pk, true, true, true, airplay.PINPairing},
	{"Apple TV with a password", "model=AppleTV6,2 features=0x4A7FDFD5,0x3C177FDE flags=0xC4 pk=" + pk, true, true, true, airplay.PasswordPairing},
	{"Apple TV with a PIN for each session", "model=AppleTV6,2 features=0x4A7FDFD5,0x3C177FDE flags=0x4c pk=" + pk, true, true, true, airplay.PINEachTime},
	{"Apple TV for its owner only", "model=AppleTV6,2 features=0x4A7FDFD5,0x3C177FDE flags=0x10644 act=2 pk=" + pk, true, true, true, airplay.Unsupported},
	{"HomePod", "am=AudioAccessory1,1 cn=0,1,2,3 et=0,3,5 ft=0x4A7FCA00,0x56BD0 sf=0x404 pk=" + pk, true, false, true, airplay.TransientPairing},
	{"HomePod for its home only", "model=AudioAccessory1,1 features=0x4A7FCA00,0x3C356BD0 flags=0x98404 acl=1 pk=" + pk, true, false, true, airplay.Unsupported},
	{"HomePod with software 27", "model=AudioAccessory5,1 features=0x4A7FCA00,0x3C356BD0 flags=0x98404 srcvers=980.77.2 pk=" + pk, true, false, true, airplay.TransientPairing},
	{"Sonos One", "model=One manufacturer=Sonos features=0x445F8A00,0x1C340 flags=0x4 et=0,4 pk=" + pk, true, false, true, airplay.TransientPairing},
	{"Sony AVR", "am=STR-DN1040 vs=141.9 md=0,2 ft=0x44F0A00 et=0,4 cn=0,1 pw=false", false, false, true, airplay.AuthSetup},
	{"Marantz NR1607", "model=NR1607 features=0x444F8A00", false, false, true, airplay.NoPairing},
	{"Libratone", "model=Zipp features=0x444C0A00", false, false, true, airplay.NoPairing},
	{"shairport-sync, AirPlay 1", "am=ShairportSync vs=105.1 et=0,1 ek=1 sf=0x4 pw=false", false, false, true, airplay.NoPairing},
	{"shairport-sync, AirPlay 1, with a password", "am=ShairportSync vs=105.1 et=0,1 ek=1 sf=0x4 pw=true", false, false, true, airplay.Digest},
	{"shairport-sync, AirPlay 2", "am=ShairportSync et=0,1 ft=0x405FCA00,0x18340 sf=0x4 vs=366.0 pk=" + pk, true, false, true, airplay.TransientPairing},
	{"shairport-sync, AirPlay 2, with a password", "am=ShairportSync ft=0x405FCA00,0x18340 sf=0x84 vs=366.0 pk=" + pk, true, false, true, airplay.PasswordPairing},
	{"UxPlay", "model=AppleTV3,2 features=0x5A7FFEE6 flags=0x4 pk=" + pk, false, false, true, airplay.NoPairing},
	{"a television with video in the newer form", "model=TV features=0x200,0x30000 flags=0x200 pk=" + pk, true, true, true, airplay.PINPairing},
	{"a Mac", "model=Mac14,2 features=0x4A7FDFD5,0x3C177FDE act=2 pk=" + pk, true, true, true, airplay.ExperimentalPIN},
	{"a picture frame", "features=0x3", false, true, false, airplay.NoPairing},
	{"nothing", "", false, false, true, airplay.NoPairing},
	{"nonsense", "features=many flags=0xzz pk=short et=x deviceid=:", false, false, true, airplay.NoPairing},
}

func TestReceiversAreKnownByWhatTheySay(t *testing.T) {
	for _, c := range receivers {
		i := airplay.ParseInfo(txt(c.txt))
		airplay2, why2 := i.AirPlay2()
		video, whyVideo := i.Video()
		sound, whySound := i.Sound()
		pairing, why := i.Pairing()
		if airplay2 != c.airplay2 || video != c.video || sound != c.sound || pairing != c.pairing {
			t.Errorf("%s: got AirPlay 2 %v, video %v, sound %v, pairing %s, want %v, %v, %v, %s",
				c.name, airplay2, video, sound, pairing, c.airplay2, c.video, c.sound, c.pairing)
		}
		for _, s := range []string{why2, whyVideo, whySound, why} {
			if s == "" {
				t.Errorf("%s: got a decision without a reason", c.name)
			}
		}
	}
}

func TestParseInfo(t *testing.T) {
	key, _ := hex.DecodeString(pk)
	got := airplay.ParseInfo(map[string]string{
		"deviceID": "d0:c5:f3:00:00:01", "model": "AudioAccessory5,1", "srcvers": " 980.77.2 ", "osvers": "27.0",
		"Features": "0x4A7FCA00, 0x3C356BD0", "flags": "0x9a404", "pk": pk, "pi": "b08f5a79-db29-4384-b456-a4784d9e6055",
		"gid": "6E3C4CD2-1D38-4AE8-B2B8-9C1D8F0E2A11+0+77", "igl": "1", "gcgl": "0", "pgid": "P",
		"gpn": "Living Room", "tsid": "T", "serialNumber": "C02", "manufacturer": "", "vs": "1.0", "am": "other", "et": "0, 4",
	})
	want := airplay.Info{
		ID: "D0C5F3000001", Model: "AudioAccessory5,1", Version: "980.77.2", OS: "27.0", Serial: "C02",
		Features: 0x3C356BD04A7FCA00, Flags: 0x9a404, PublicKey: key,
		PairingID: "b08f5a79-db29-4384-b456-a4784d9e6055", AuthSetup: true,
		Group: airplay.Group{
			ID: "6E3C4CD2-1D38-4AE8-B2B8-9C1D8F0E2A11", Leader: true, Parent: "P",
			Name: "Living Room", Pair: "T", PairLeader: true,
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestAPasswordIsWantedIfEitherRecordSaysSo(t *testing.T) {
	for s, want := range map[string]bool{
		"pw=true": true, "pw=1": true, "pw=TRUE": true, "sf=0x80": true, "flags=0x84": true, "flags=0x4 sf=0x84": true,
		"pw=false": false, "pw=": false, "pw=0": false, "flags=0x4": false, "": false,
	} {
		if got := airplay.ParseInfo(txt(s)).Password; got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

func TestHomePodsWithSoftware27AreKnown(t *testing.T) {
	for _, c := range []struct {
		txt                string
		is27, keepsOwnTime bool
	}{
		{"model=AudioAccessory5,1 srcvers=980.77.2 igl=1 gid=G", true, true},
		{"model=AudioAccessory5,1 srcvers=980.77.2 igl=1 gid=G pgid=P", true, false},
		{"model=AudioAccessory5,1 srcvers=980.77.2 igl=1 gid=G tsid=T", true, false},
		{"model=AudioAccessory5,1 srcvers=980.77.2 igl=0 gid=G", true, false},
		{"am=AudioAccessory1,1 vs=1000.1", true, false},
		{"model=AudioAccessory6,1 osvers=27.1", true, false},
		{"model=AudioAccessory5,1 srcvers=960.13.1 osvers=26.6 igl=1", false, false},
		{"model=AudioAccessory5,1", false, false},
		{"model=AppleTV14,1 srcvers=980.77.2 igl=1", false, false},
	} {
		i := airplay.ParseInfo(txt(c.txt))
		is27, why := i.HomePod27()
		if is27 != c.is27 || i.KeepsOwnTime() != c.keepsOwnTime || why == "" {
			t.Errorf("%s: got %v, %v (%s), want %v, %v", c.txt, is27, i.KeepsOwnTime(), why, c.is27, c.keepsOwnTime)
		}
	}
}

func TestWhatPairingNeeds(t *testing.T) {
	for p, want := range map[airplay.Pairing][2]bool{
		airplay.NoPairing: {}, airplay.TransientPairing: {}, airplay.AuthSetup: {}, airplay.Unsupported: {},
		airplay.PINPairing: {true, false}, airplay.PINEachTime: {true, false},
		airplay.LegacyPairing: {true, false}, airplay.ExperimentalPIN: {true, false},
		airplay.PasswordPairing: {false, true}, airplay.Digest: {false, true},
	} {
		if got := [2]bool{p.NeedsUser(), p.NeedsPassword()}; got != want {
			t.Errorf("%s: got a user and a password needed %v, want %v", p, got, want)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	for _, r := range receivers {
		f.Add(r.txt)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i := airplay.ParseInfo(txt(s))
		again := airplay.ParseInfo(txt(s))
		if d := cmp.Diff(i, again); d != "" {
			t.Errorf("read twice, want the same:\n%s", d)
		}
		i.AirPlay2()
		i.Video()
		i.Sound()
		i.HomePod27()
		i.KeepsOwnTime()
		if kind, why := i.Pairing(); kind == "" || why == "" {
			t.Errorf("got %q because %q", kind, why)
		}
		if n := len(i.PublicKey); n != 0 && n != 32 {
			t.Errorf("got a key of %d bytes", n)
		}
	})
}

func ExampleInfo_Pairing() {
	info := airplay.ParseInfo(map[string]string{"model": "AppleTV6,2", "features": "0x4A7FDFD5,0x3C177FDE", "flags": "0x10644", "pk": pk})
	pairing, why := info.Pairing()
	fmt.Println(pairing, "because", why)
	// Output: pin because it wants to be paired once, with the PIN that it shows
}
