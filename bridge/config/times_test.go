package config_test

import (
	"strings"
	"testing"
	"time"

	"airplay2mqtt/bridge/config"

	"github.com/google/go-cmp/cmp"
)

func TestGroupsAnnouncementsAndQuietHoursAreRead(t *testing.T) {
	text := `
devices:
  - {name: Kitchen, offset: -40, keep_warm: always, buttons: report}
  - {name: Porch, offset: 1.5s, keep_warm: 90}
groups:
  - {name: Downstairs, members: [kitchen, porch]}
announcements: {policy: interrupt, bed: -12dB, loudness: off, cooldown: 5, per_hour: 10}
quiet_hours: {from: "22:00", to: "07:00", max_volume: 20, announcements: refuse}
`
	cfg, err := config.Parse("config.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Devices = []config.Device{
		{Name: "Kitchen", Protocol: "auto", Offset: config.Offset(-40 * time.Millisecond), KeepWarm: config.Always, Buttons: "report"},
		{Name: "Porch", Protocol: "auto", Offset: config.Offset(1500 * time.Millisecond), KeepWarm: config.Warmth(90 * time.Second)},
	}
	want.Groups = []config.Group{{Name: "Downstairs", Members: []string{"kitchen", "porch"}}}
	want.Announcements = config.Announcements{Policy: "interrupt", Bed: -12, Cooldown: config.Length(5 * time.Second), PerHour: 10}
	want.QuietHours = config.QuietHours{
		From: config.Clock{Minute: 22 * 60, Set: true}, To: config.Clock{Minute: 7 * 60, Set: true},
		MaxVolume: 20, Announcements: "refuse",
	}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMistakesInGroupsAndTimes(t *testing.T) {
	text := `devices:
  - {name: A, offset: 3s, keep_warm: 1ms, buttons: ignore}
groups:
  - {name: A, members: [a, b, b]}
  - {name: a}
announcements: {policy: shout, bed: 3dB, loudness: loud, cooldown: 2h, per_hour: 0}
quiet_hours: {from: 25:00, max_volume: 20}
`
	_, err := config.Parse("config.yaml", []byte(text), nil)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		`config.yaml:2: "3s" is no offset`,
		`config.yaml:2: "1ms" is no time to keep a session`,
		`config.yaml:2: devices[0].buttons: "ignore" is not one of obey, report`,
		`config.yaml:4: groups[0].members[0]: a group cannot be a member of itself`,
		`config.yaml:4: groups[0].members[2]: "b" is a member already`,
		`config.yaml:5: groups[1].name: "a" is also the name of groups[0]`,
		`groups[1].members: is missing`,
		`config.yaml:6: announcements.policy: "shout" is not one of`,
		`config.yaml:6: "3dB" is no level`,
		`config.yaml:6: "loud" is no loudness`,
		`config.yaml:6: "2h" is no length`,
		`config.yaml:6: announcements.per_hour: 0 is not from 1`,
		`config.yaml:7: "25:00" is no time of day`,
		`config.yaml:7: quiet_hours.from: is missing`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s", want)
		}
	}
	if t.Failed() {
		t.Logf("told:\n%v", err)
	}
}

func TestQuietHours(t *testing.T) {
	clock := func(s string) config.Clock {
		c, err := config.ParseClock(s)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	at := func(s string) time.Time {
		at, err := time.Parse("2006-01-02 15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		from, to, now string
		quiet         bool
		until         string
	}{
		{"22:00", "07:00", "2026-03-01 21:59:59", false, "2026-03-01 22:00:00"},
		{"22:00", "07:00", "2026-03-01 22:00:00", true, "2026-03-02 07:00:00"},
		{"22:00", "07:00", "2026-03-02 06:59:59", true, "2026-03-02 07:00:00"},
		{"22:00", "07:00", "2026-03-02 07:00:00", false, "2026-03-02 22:00:00"},
		{"13:00", "14:30", "2026-03-02 14:00:00", true, "2026-03-02 14:30:00"},
		{"13:00", "14:30", "2026-03-02 14:30:00", false, "2026-03-03 13:00:00"},
		{"00:00", "00:00", "2026-03-02 12:00:00", true, "2026-03-03 00:00:00"},
	} {
		q := config.QuietHours{From: clock(c.from), To: clock(c.to)}
		quiet, until := q.Within(at(c.now))
		if quiet != c.quiet || !until.Equal(at(c.until)) {
			t.Errorf("%s to %s at %s: got %v until %v, want %v until %s", c.from, c.to, c.now, quiet, until, c.quiet, c.until)
		}
	}
	if quiet, _ := (config.QuietHours{}).Within(at("2026-03-02 12:00:00")); quiet {
		t.Error("it is quiet where no hours are given")
	}
}

func TestGroupsThatClash(t *testing.T) {
	text := `devices:
  - {name: Kitchen}
groups:
  - {name: kitchen, members: [a]}
  - {name: All, members: [a]}
  - {name: Bridge, members: [a]}
  - {name: Up, members: [bridge]}
`
	_, err := config.Parse("config.yaml", []byte(text), nil)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		`config.yaml:4: groups[0].name: "kitchen" is also the name of a device`,
		`config.yaml:5: groups[1].name: "All" is a word of the topics`,
		`config.yaml:6: groups[2].name: "Bridge" is a word of the topics`,
		`config.yaml:7: groups[3].members[0]: "bridge" is a group`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\n%v", want, err)
		}
	}
}
