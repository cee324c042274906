package airplaytest

import "time"

// Apple TV 4K with tvOS 26: paired once by PIN, transient pairing refused with
// 470 (pyatv, OwnTone); asks for the time a second after the peers
// were named (airplay-cli); a flush or running dry in realtime is a noise
// (measured on tvOS 27 by airplay-cli).
func AppleTV(pin string) Config {
	return Config{
		Name: "Apple TV", Model: "AppleTV11,1", Version: "940.10.1", Features: 0x3C177FDE_4A7FDFD5, Flags: 0x10644,
		PIN: pin, NotTransient: true, Noisy: true, AsksAfter: time.Second,
	}
}

// HomePod is one with software up to 26: transient pairing, NTP or PTP
// (pyatv, OwnTone), and the noise of Apple's players.
func HomePod() Config {
	return Config{
		Name: "HomePod", Model: "AudioAccessory5,1", Version: "860.7.1", Features: 0x3C356BD0_4A7FCA00, Flags: 0x98404,
		Noisy: true, AsksAfter: time.Second,
	}
}

// HomePod27 is one with software 27 that stands alone: 403 to pairing without
// a User-Agent (airplay-cli#68), NTP accepted and silent, and a clock of its
// own that has to be followed (airplay-cli#74, music-assistant/support#6430).
func HomePod27() Config {
	c := HomePod()
	c.Version = "980.77.2"
	c.NeedsUserAgent, c.OwnClock, c.NoNTP = true, true, true
	c.TXT = map[string]string{"igl": "1", "gid": "6E3C4CD2-1D38-4AE8-B2B8-9C1D8F0E2A11", "osvers": "27.0"}
	return c
}

// HomeMembersOnly is a HomePod that serves its Apple home only: acl=1, and
// every pairing is refused with 470 (OwnTone).
func HomeMembersOnly() Config {
	c := HomePod()
	c.Closed = true
	c.TXT = map[string]string{"acl": "1"}
	return c
}

// Sonos is an Era: PTP only; 400 to an anchor until it has measured the clock,
// which takes it up to 2.3 s; RECORD before the stream; silent before it was
// told what is playing (airplay-cli, OwnTone).
func Sonos() Config {
	return Config{
		Name: "Sonos", Model: "Era 100", Manufacturer: "Sonos", Features: 0x1C340_445F8A00,
		NoNTP: true, RecordFirst: true, MetadataFirst: true, StrictAnchor: true,
		AsksAfter: time.Second, ClockTakes: 1300 * time.Millisecond,
	}
}

// Samsung is a speaker of theirs: PTP only, silent unless RECORD came before
// the stream was set up (airplay-cli, HW-LS60D).
func Samsung() Config {
	return Config{
		Name: "Samsung", Model: "HW-LS60D", Manufacturer: "Samsung Electronics", Features: 0x1C340_445F8A00,
		NoNTP: true, RecordFirst: true, AsksAfter: time.Second,
	}
}

// Shairport is shairport-sync 5 with nqptp, which follows PTP and never asks,
// and answers an NTP SETUP with 200 and nothing [T].
func Shairport() Config {
	return Config{Name: "Shairport", Model: "ShairportSync", NoNTP: true, NeverAsks: true}
}

// NTPTelevision is a Google TV of the class of Sony's Bravia: it announces PTP
// and never asks for it, and keeps time by NTP (airplay-cli#69).
func NTPTelevision() Config {
	return Config{Name: "Television", Model: "BRAVIA 4K", Manufacturer: "Sony", Features: 0x1C340_445F8A00, NoPTP: true}
}

// SecretPassword is a receiver whose password is the secret of transient
// pairing; the usual secret then fails with TLV error 2 (shairport-sync 5.2) [T].
func SecretPassword(password string) Config {
	return Config{Name: "Secret", Model: "ShairportSync", Flags: 0x84, Secret: password, NoNTP: true, NeverAsks: true}
}

// DigestPassword is a receiver that pairs with everybody and asks for its
// password when it is set up, by 401 (HomePods and Apple TVs: OwnTone,
// airplay-cli).
func DigestPassword(password string) Config {
	c := HomePod()
	c.Flags, c.Digest = 0x98484, password
	return c
}

// SetupPassword is a receiver whose password is the secret of a whole
// pair-setup (OwnTone).
func SetupPassword(password string) Config {
	return Config{Name: "Setup", Flags: 0x84, NotTransient: true, Password: password}
}

// AppleTV16 is an Apple TV 4K with tvOS 16, which shows films by /play in a
// session, tells nothing of them by itself, and asks for the time before it
// answers (pyatv#2079).
func AppleTV16(pin string) Config {
	c := AppleTV(pin)
	c.Name, c.Model, c.Version = "Apple TV 16", "AppleTV6,2", "665.13.1"
	c.TXT = map[string]string{"osvers": "16.1"}
	c.Films = &Films{RefusesPTP: true}
	return c
}

// AppleTV26 is one with tvOS 26.5, which shows films by a play queue, has its
// sender fetch playlists, and shows no PIN to who does not say his name
// (pyatv#2846, #2866, #2899).
func AppleTV26(pin string) Config {
	c := AppleTV(pin)
	c.Name, c.Version = "Apple TV 26", "950.7.1"
	c.TXT = map[string]string{"osvers": "26.5"}
	c.NeedsUserAgent, c.NeedsClientName = true, true
	c.Films = &Films{Queue: true, NeedsPTP: true, AsksLists: true}
	return c
}
