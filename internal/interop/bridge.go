//go:build linux

package interop

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// A Device is a device as a configuration names it.
type Device struct {
	Name     string `yaml:"name"`
	Host     string `yaml:"host,omitempty"`
	Port     int    `yaml:"port,omitempty"`
	Password string `yaml:"password,omitempty"`
	Latency  string `yaml:"latency,omitempty"`   // chime, normal or robust; normal if empty
	KeepWarm string `yaml:"keep_warm,omitempty"` // 10s if empty
	Video    string `yaml:"video,omitempty"`     // auto if empty
	Protocol string `yaml:"protocol,omitempty"`  // auto if empty
}

// Slug is the device's name in topics.
func (d Device) Slug() string { return strings.ToLower(d.Name) }

// A BridgeConfig is what a bridge is started with.
type BridgeConfig struct {
	Broker   *Broker           // none: the bridge brings its own
	MDNS     bool              // find receivers on loopback
	Devices  []Device          // static ones
	Away     []Device          // and such that nobody waits for
	Files    map[string][]byte // what lies in its media folder
	Chimes   map[string][]byte // and in its folder of chimes; they are as loud as they are
	Voice    []string          // a command that speaks
	Deny     bool              // do not allow URLs on loopback
	CAFile   string            // an authority for https besides the usual ones
	Deprived bool              // without the right to ports below 1024
	Measured bool              // the program as it is shipped, without the race detector
}

// A Bridge is a running bridge with a client that hears what it says.
type Bridge struct {
	*Process
	Client *Client
	Media  string // its media folder
	Config string // its configuration file
}

// settings is the shape of the configuration file.
type settings struct {
	MQTT struct {
		Server   string `yaml:"server,omitempty"`
		Username string `yaml:"username,omitempty"`
		Password string `yaml:"password,omitempty"`
		CAFile   string `yaml:"ca_file,omitempty"`
	} `yaml:"mqtt"`
	Discovery struct {
		MDNS       bool     `yaml:"mdns"`
		Interfaces []string `yaml:"interfaces"`
	} `yaml:"discovery"`
	Devices []Device `yaml:"devices"`
	Media   struct {
		Folders []string `yaml:"folders"`
		Chimes  string   `yaml:"chimes"`
		Allow   []string `yaml:"allow,omitempty"`
		CAFile  string   `yaml:"ca_file,omitempty"`
	} `yaml:"media"`
	Announcements struct {
		Loudness string `yaml:"loudness"`
	} `yaml:"announcements"`
	TTS struct {
		Command []string `yaml:"command,omitempty"`
	} `yaml:"tts"`
	Data string `yaml:"data"`
	Log  struct {
		Level string `yaml:"level"`
	} `yaml:"log"`
}

// Bridge starts a bridge at a broker, which ends with the test, and waits until
// it is online and so are its devices.
func (h *House) Bridge(t testing.TB, cfg BridgeConfig) *Bridge {
	t.Helper()
	b := h.StartBridge(t, cfg)
	b.Online(t, cfg.Broker.Client(t), cfg.Devices...)
	return b
}

// StartBridge starts a bridge and waits for nothing. The test fails if it does
// not end well, or says that it raced.
func (h *House) StartBridge(t testing.TB, cfg BridgeConfig) *Bridge {
	t.Helper()
	b := h.StartDoomed(t, cfg)
	t.Cleanup(func() {
		if code := b.Stop(t); code != 0 {
			t.Errorf("the bridge ended with code %d", code)
		}
		if strings.Contains(b.Output.String(), "DATA RACE") {
			t.Errorf("the bridge raced")
		}
		if t.Failed() {
			t.Logf("the bridge said:\n%s", b.Output.Tail(120))
		}
	})
	return b
}

// quick keeps the race detector from waiting a second before a program ends.
var quick = []string{"GORACE=atexit_sleep_ms=0"}

// StartDoomed starts a bridge that the test is going to kill.
func (h *House) StartDoomed(t testing.TB, cfg BridgeConfig) *Bridge {
	t.Helper()
	dir := h.tempDir(t)
	b := &Bridge{Media: filepath.Join(dir, "media"), Config: filepath.Join(dir, "config.yaml")}
	if err := b.write(cfg, dir); err != nil {
		t.Fatal(err)
	}
	var err error
	command := []string{h.program(cfg.Measured), "run", "-config", b.Config}
	if cfg.Deprived {
		command = append([]string{"setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"}, command...)
	}
	if b.Process, err = start(nil, quick, command[0], command[1:]...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill)
	return b
}

// StartAgain starts a bridge that was killed, with what it has left on disk.
func (h *House) StartAgain(t testing.TB, b *Bridge) {
	t.Helper()
	var err error
	if b.Process, err = start(nil, quick, h.program(false), "run", "-config", b.Config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(t) })
}

// Online waits until the bridge and its devices are, as a client sees it, which
// becomes the bridge's.
func (b *Bridge) Online(t testing.TB, c *Client, devices ...Device) {
	t.Helper()
	b.Client = c
	online := func(payload string) bool { return payload == "online" }
	c.Wait(t, time.Time{}, "airplay/bridge/state", patience, online)
	for _, d := range devices {
		c.Wait(t, time.Time{}, "airplay/"+d.Slug()+"/availability", patience, online)
	}
}

// write makes the folders, files and configuration of a bridge.
func (b *Bridge) write(cfg BridgeConfig, dir string) error {
	var s settings
	s.Media.Chimes, s.Announcements.Loudness = filepath.Join(dir, "chimes"), "off"
	if err := errors.Join(fill(b.Media, cfg.Files), fill(s.Media.Chimes, cfg.Chimes)); err != nil {
		return err
	}
	if cfg.Broker != nil {
		s.MQTT.Server, s.MQTT.CAFile = cfg.Broker.URL(), cfg.Broker.CAFile
		s.MQTT.Username, s.MQTT.Password = cfg.Broker.Config.Username, cfg.Broker.Config.Password
	}
	s.Discovery.MDNS, s.Discovery.Interfaces = cfg.MDNS, []string{"lo"}
	s.Devices = slices.Concat(cfg.Devices, cfg.Away)
	s.Media.Folders, s.Media.CAFile = []string{b.Media}, cfg.CAFile
	if !cfg.Deny {
		s.Media.Allow = []string{"127.0.0.1"}
	}
	s.TTS.Command = cfg.Voice
	s.Data = filepath.Join(dir, "data")
	s.Log.Level = "debug"
	text, err := yaml.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(b.Config, text, 0o600)
}

// fill makes a folder with files.
func fill(folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Run runs a sub-command to its end, within a minute.
func (h *House) Run(t testing.TB, input io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return h.RunIn(t, h.tempDir(t), input, args...)
}

// RunIn runs a sub-command in a folder.
func (h *House) RunIn(t testing.TB, dir string, input io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p, err := startIn(dir, quick, input, &out, &errs, h.program(false), args...)
	if err != nil {
		t.Fatal(err)
	}
	code = p.Wait(t, time.Minute)
	if strings.Contains(errs.String(), "DATA RACE") {
		t.Errorf("bridge %s raced:\n%s", strings.Join(args, " "), errs.String())
	}
	return code, out.String(), errs.String()
}

// Start starts a sub-command that runs beside the test, which waits for it.
func (h *House) Start(t testing.TB, input io.Reader, args ...string) *Process {
	t.Helper()
	p, err := start(input, quick, h.program(false), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// program is the path of the program under test.
func (h *House) program(measured bool) string {
	name := "bridge"
	if raceEnabled && !measured {
		name = "bridge-race"
	}
	return filepath.Join(os.Getenv(envDir), name)
}
