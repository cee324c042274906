package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/bridge/config"

	"github.com/google/go-cmp/cmp"
)

func TestNothingIsAValidConfiguration(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "comment": "# nothing yet\n", "blank document": "---\n", "byte order mark": "\ufeff",
	} {
		got, err := config.Parse("config.yaml", []byte(text), nil)
		if err != nil {
			t.Errorf("%s: got %v, want no mistakes", name, err)
		}
		if diff := cmp.Diff(config.Default(), got); diff != "" {
			t.Errorf("%s: not the defaults (-want +got):\n%s", name, diff)
		}
	}
}

func TestEveryMistakeIsToldAtOnceWithItsLine(t *testing.T) {
	text := `mqtt:
  sever: mqtt://broker
  server: htpp://broker
  base_topic: air/#
homeassistant: {media_player: bkbily}
devices:
  - {name: Kitchen, host: 10.0.0.5}
  - {name: kitchen, host: 10.0.0.6, port: 70000, max_volume: 0}
  - {latency: fast}
media:
  max_download: lots
  allow: [not a host, 300.1.1.1, 10.0.0, nas.1a]
  level: debug
log: {level: loud, format: [json]}
limits: {per_device: 30, overall: 0, commands: [""]}
`
	_, err := config.Parse("config.yaml", []byte(text), nil)
	var mistakes config.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("got %v, want mistakes", err)
	}
	got := err.Error()
	for _, want := range []string{
		`config.yaml:2: unknown key "sever", did you mean "server"?`,
		`config.yaml:3: mqtt.server: htpp:// is not spoken`,
		`config.yaml:4: mqtt.base_topic: "air/#": + and # are wildcards`,
		`config.yaml:5: homeassistant.media_player: "bkbily" is not one of bkbilly, off, did you mean "bkbilly"?`,
		`config.yaml:7: devices[0].port: is missing`,
		`config.yaml:8: devices[1].port: 70000 is no port`,
		`config.yaml:8: devices[1].name: "kitchen" is also the name of devices[0]`,
		`config.yaml:8: "0" is no percentage from 1 to 100`,
		`config.yaml:9: devices[2]: name is missing`,
		`config.yaml:9: "fast" is no latency`,
		`config.yaml:11: "lots" is no size`,
		`config.yaml:12: media.allow[0]: "not a host" is no host name`,
		`config.yaml:12: media.allow[1]: "300.1.1.1" is no address`,
		`config.yaml:12: media.allow[2]: "10.0.0" is no address`,
		`config.yaml:13: unknown key "level", did you mean log.level?`,
		`config.yaml:14: log.level: "loud" is not one of`,
		`config.yaml:14: a text is wanted here`,
		`config.yaml:15: limits.overall: 0 is not from 1 to 10000`,
		`config.yaml:15: limits.overall: 0 is less than per_device, 30`,
		`config.yaml:15: limits.commands[0]: is empty`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("not told: %s", want)
		}
	}
	if strings.Contains(got, "nas.1a") {
		t.Error("a host name that ends in a letter was refused")
	}
	for i := 1; i < len(mistakes); i++ {
		if mistakes[i].Line < mistakes[i-1].Line {
			t.Errorf("mistakes are not in the order of their lines:\n%s", got)
			break
		}
	}
	if t.Failed() {
		t.Logf("told:\n%s", got)
	}
}

func TestTextThatIsNoYAML(t *testing.T) {
	for text, want := range map[string]string{
		"mqtt: [":                       "config.yaml:",
		"mqtt:\n\tserver: x":            "config.yaml:2: ",
		"log: {level: info}\n---\na: b": "a second document",
		"mqtt: broker":                  "a group of keys is wanted here",
		"data: x\ndata: y":              `"data" is given twice, first in line 1`,
		"discovery: {mdns: maybe}":      `true or false is wanted here, not "maybe"`,
	} {
		_, err := config.Parse("config.yaml", []byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	text := `
devices:
  - {name: A, host: a.local, port: 5000, latency: chime, max_volume: 60}
  - {name: B, host: "::1", port: 7000, latency: 400}
  - {name: C, latency: 1.5s}
  - {id: "00:11:32:4a:5b:6c", latency: robust, protocol: raop}
media: {max_download: 1.5GiB, allow: ["10.0.0.0/8", nas.local, "fe80::1", "*.example.org"]}
`
	cfg, err := config.Parse("config.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []time.Duration
	for _, d := range cfg.Devices {
		got = append(got, time.Duration(d.Latency))
	}
	want := []time.Duration{250 * time.Millisecond, 400 * time.Millisecond, 1500 * time.Millisecond, 2 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("latencies (-want +got):\n%s", diff)
	}
	if got, want := cfg.Media.MaxDownload, config.Size(1536<<20); got != want {
		t.Errorf("max_download: got %d, want %d", got, want)
	}
	if got := cfg.Devices[0].Protocol; got != "auto" {
		t.Errorf("protocol that is not said: got %q, want auto", got)
	}
}

func TestEnvironmentWins(t *testing.T) {
	text := "mqtt: {server: mqtt://file, base_topic: file}\n"
	cfg, err := config.Parse("config.yaml", []byte(text), []string{
		"AIRPLAY2MQTT_MQTT_SERVER=mqtt://environment",
		"AIRPLAY2MQTT_DISCOVERY_MDNS=false",
		"AIRPLAY2MQTT_DISCOVERY_INTERFACES=lo, eth0",
		"AIRPLAY2MQTT_MEDIA_MAX_DOWNLOAD=1MiB",
		"AIRPLAY2MQTT_DEVICES=[{name: Kitchen, host: 10.0.0.5, port: 5000}]",
		"AIRPLAY2MQTT_MQTT_PASSWORD=",
		"HOME=/root",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.MQTT.Server, want.MQTT.BaseTopic = "mqtt://environment", "file"
	want.Discovery = config.Discovery{Interfaces: []string{"lo", "eth0"}}
	want.Media.MaxDownload = 1 << 20
	want.Devices = []config.Device{{Name: "Kitchen", Host: "10.0.0.5", Port: 5000, Protocol: "auto"}}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMistakesInTheEnvironmentNameTheVariable(t *testing.T) {
	_, err := config.Parse("config.yaml", nil, []string{
		"AIRPLAY2MQTT_MQTT_SEVER=x",
		"AIRPLAY2MQTT_LOG_LEVEL=loud",
		"AIRPLAY2MQTT_MEDIA_MAX_DOWNLOAD=lots",
		"AIRPLAY2MQTT_DEVICES=[{nam: Kitchen}]",
	})
	for _, want := range []string{
		`AIRPLAY2MQTT_MQTT_SEVER: unknown variable, did you mean "AIRPLAY2MQTT_MQTT_SERVER"?`,
		`AIRPLAY2MQTT_LOG_LEVEL: log.level: "loud" is not one of`,
		`AIRPLAY2MQTT_MEDIA_MAX_DOWNLOAD: media.max_download: "lots" is no size`,
		`AIRPLAY2MQTT_DEVICES: devices: unknown key "nam", did you mean "name"?`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\ngot: %v", want, err)
		}
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "no.yaml"), nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want it to wrap fs.ErrNotExist", err)
	}
}

func TestPasswordNeverStandsInAMistake(t *testing.T) {
	_, err := config.Parse("c", []byte("mqtt: {server: '://me:hunter2@broker'}"), nil)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want a mistake without the password", err)
	}
}

func TestFilesThatAreNamedMustBeReadable(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Parse("c", []byte("mqtt:\n  server: mqtts://b\n  ca_file: "+ca+"\n  password_file: "+dir+"/none\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "c:4: mqtt.password_file: open") {
		t.Errorf("got %v, want one mistake, in line 4", err)
	}
}

func TestSuggestions(t *testing.T) {
	for text, want := range map[string]string{
		"server: mqtt://x":                                   `did you mean mqtt.server?`,
		"mqtt: {format: json}":                               `did you mean log.format?`,
		"devices: [{name: A, latency: chme}]":                `did you mean "chime"?`,
		"announcements: {policy: dukc}":                      `did you mean "duck"?`,
		"log: {level: dbug}":                                 `did you mean "debug"?`,
		"devices: [{name: A, host: 10.0.0.300, port: 5000}]": `"10.0.0.300" is no address`,
		"brightness: 3":                                      `known here: mqtt, `,
	} {
		_, err := config.Parse("c", []byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestPageIsNotOpenedToOthersUnawares(t *testing.T) {
	for web, want := range map[string]string{
		"{}":                       "",
		"{listen: '127.0.0.1:80'}": "",
		"{listen: 'localhost:80'}": "",
		"{listen: '0.0.0.0:80'}":   "c:1: web.token: is missing: others than this machine can connect to 0.0.0.0:80",
		"{listen: ':80'}":          "c:1: web.token: is missing",
		"{listen: '0.0.0.0:80', token: tooshort}":                              "c:1: web.token: is shorter than 16 characters",
		"{listen: '0.0.0.0:80', token: 0123456789abcdef}":                      "",
		"{listen: '0.0.0.0:80', ingress: true}":                                "",
		"{ingress: true}":                                                      "c:1: web.listen: is missing",
		"{listen: '0.0.0.0:80', ingress: true, token: 0123456789abcdef}":       "c:1: web.token: is not asked for with ingress",
		"{listen: '8330'}":                                                     `c:1: web.listen: "8330" is no address and port`,
		"{listen: '127.0.0.1:http'}":                                           `c:1: web.listen: "http" is no port`,
		"{listen: 'here:80'}":                                                  `c:1: web.listen: "here" is no address of this machine`,
		"{listen: '127.0.0.1:80', token: 0123456789abcdef, token_file: /none}": "c:1: web.token_file: token is given too",
		"{listn: x}": `unknown key "listn", did you mean "listen"?`,
	} {
		_, err := config.Parse("c", []byte("web: "+web), nil)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: got %v, want no mistake", web, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", web, err, want)
		}
	}
	cfg, err := config.Parse("c", []byte("web: {listen: '0.0.0.0:80', token: 0123456789abcdef}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Redacted().Web.Token; got != "***" {
		t.Errorf("redacted: got %q, want ***", got)
	}
	if diff := cmp.Diff([]string{"0123456789abcdef"}, cfg.Secrets()); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("mqtt: {server: mqtt://x}\ndevices: [{name: A, host: b, port: 1, latency: 300}]\n")
	f.Add("media: {max_download: 1e300GiB, allow: [1/2]}")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := config.Parse("c", []byte(text), nil); err != nil && err.Error() == "" {
			t.Error("an error that says nothing")
		}
	})
}

func TestHomeAssistantIsAskedAsItsApp(t *testing.T) {
	supervised := []string{"SUPERVISOR_TOKEN=abc", "PATH=/bin"}
	for name, c := range map[string]struct {
		text    string
		environ []string
		url     string
	}{
		"an app":                {"", supervised, config.Supervisor},
		"no app":                {"", nil, ""},
		"an app that shall not": {"homeassistant: {url: 'off'}", supervised, "off"},
		"another one":           {"homeassistant: {url: 'http://ha:8123', token: xyz}", supervised, "http://ha:8123"},
		"by the environment":    {"", []string{"AIRPLAY2MQTT_HOMEASSISTANT_URL=http://x", "AIRPLAY2MQTT_HOMEASSISTANT_TOKEN=abc"}, "http://x"},
	} {
		cfg, err := config.Parse("config.yaml", []byte(c.text), c.environ)
		if err != nil || cfg.HomeAssistant.URL != c.url || cfg.HomeAssistant.Asked() != (c.url != "" && c.url != "off") {
			t.Errorf("%s: got %+v, %v, want %q", name, cfg.HomeAssistant, err, c.url)
		}
		if shown := cfg.Redacted().HomeAssistant.Token; shown != "" && shown != "***" {
			t.Errorf("%s: the token is shown", name)
		}
	}
}

func TestTheTokenComesFromAFileAsWell(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("geheim\r\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("config.yaml", []byte("homeassistant: {url: 'http://ha:8123', token_file: "+file+"}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := cfg.HomeAssistant.Secret(); err != nil || got != "geheim" {
		t.Errorf("got %q, %v, want geheim", got, err)
	}
}

func TestMistakesAboutSpeaking(t *testing.T) {
	for text, want := range map[string]string{
		"homeassistant: {url: 'ha:8123', token: x}":                          `1: homeassistant.url: "ha:8123" is no address such as http://homeassistant.local:8123`,
		"homeassistant: {url: 'http://u:geheim@ha', token: x}":               "users and passwords are not for this",
		"homeassistant: {url: 'http://ha?x=1', token: x}":                    "nothing stands behind",
		"homeassistant: {url: 'http://ha:8123'}":                             "homeassistant.token: is missing",
		"homeassistant: {token: geheim}":                                     "homeassistant.url: is missing",
		"homeassistant: {url: 'http://ha', token: x, token_file: /dev/null}": "keep one of them",
		"homeassistant: {url: 'http://ha', token_file: /no/such}":            "no such file",
		"tts: {engine: tts.piper}":                                           "homeassistant.url does not say where that is",
		"tts: {command: [espeak-ng --stdin --stdout]}":                       "there is no shell",
		"tts: {command: ['', x]}":                                            "the first row is the program",
		"tts: {command: espeak-ng}":                                          "a list is wanted here",
		"tts: {max_text: 0}":                                                 "0 is not from 1 to 10000",
		"tts: {timeout: 30s}":                                                "30s is not from 1s to 25s",
		"tts: {max_sound: 1GiB}":                                             "more than 256MiB",
		"tts: {langauge: de}":                                                `unknown key "langauge", did you mean "language"?`,
	} {
		_, err := config.Parse("config.yaml", []byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: says what is secret: %v", text, err)
		}
	}
}
