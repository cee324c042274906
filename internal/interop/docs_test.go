//go:build linux

package interop_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// notTyped are the lines of the documents that this test does not type, by
// their beginning, and why.
var notTyped = map[string]string{
	"go run ./cmd/bridge":       "TestAFreshUserHearsAChime",
	"bridge  ":                  "every test of this package",
	"sh scripts/test":           "it runs this test",
	"bridge pair -to":           "it asks for the PIN: TestPairOnTheCommandLine",
	"go build":                  "the harness does",
	"bridge completion":         "TestShellsUnderstandTheirCompletions",
	"bridge man":                "TestManualNamesEverything",
	"bridge check && systemctl": "no systemd runs here; TestBridgeAsAService sends the signal",
	"systemctl":                 "no systemd runs here; TestServiceOfSystemd reads the unit",
	"sudo":                      "it changes the machine",
	"docker":                    "no daemon runs here; TestComposeIsHardened reads the file",
	"sh packaging":              ".ci/run does",
	"scp":                       "there is no Home Assistant",
	"curl":                      "these houses have no page; the tests of bridge/web ask it",
	"PAGE_SCREENSHOTS":          "it is a test",
}

// typedElsewhere are documents whose lines another test types.
var typedElsewhere = []string{
	"getting-started.md", // TestAFreshUserHearsAChime
	"topics.md",          // TestTheLinesOfTheTopicsPageWork, of package bridge
}

func TestCommandsOfTheDocumentsWork(t *testing.T) {
	house := interop.Open(t)
	house.NeedMDNS(t)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	v := newVillage(t, house)
	for _, page := range append([]string{"../../README.md"}, pages...) {
		if slices.Contains(typedElsewhere, filepath.Base(page)) {
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if lines := interop.Commands(string(text)); len(lines) > 0 {
			t.Run(filepath.Base(page), func(t *testing.T) { v.read(t, lines) })
		}
	}
	for beginning := range notTyped {
		if !v.spares[beginning] {
			t.Errorf("no document says %q any more", beginning)
		}
	}
}

// A village is everything that the documents speak of: its speakers, a
// television with the PIN 1234, a NAS and Home Assistant with a sound for every
// address.
type village struct {
	house *interop.House
	den   *interop.Television
	files map[string][]byte

	typed  map[string]bool // what was typed already and takes its time
	spares map[string]bool // those of notTyped that there were
}

func newVillage(t *testing.T, house *interop.House) *village {
	admin(t, "ip", "address", "add", "192.168.1.20/32", "dev", "lo")
	t.Cleanup(func() { admin(t, "ip", "address", "del", "192.168.1.20/32", "dev", "lo") })
	house.Receiver(t, interop.ReceiverConfig{Name: "Hall", Port: 5000})
	house.Receiver(t, interop.ReceiverConfig{Name: "Porch"})
	tune := interop.Sweep(2 * time.Second)
	v := &village{house: house, den: house.Den(t), typed: map[string]bool{}, spares: map[string]bool{}, files: map[string][]byte{
		"bell.flac": encode(t, "flac", tune), "door.flac": encode(t, "flac", tune), "song.flac": encode(t, "flac", tune),
		"bell.mp3": encode(t, "mp3", tune), "ding.mp3": encode(t, "mp3", tune),
		"song.m4a": pipe(t, tune.WAV(), "ffmpeg", "-loglevel", "error", "-i", "-", "-c:a", "aac", "-f", "adts", "-"),
	}}
	serveAddresses(t, v.files["bell.mp3"])
	return v
}

// serveAddresses answers every request of the documents with a file.
func serveAddresses(t *testing.T, file []byte) {
	t.Helper()
	for _, port := range []string{"80", "8123"} {
		ln, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "audio/mpeg")
			w.Write(file)
		})}
		go server.Serve(ln)
		t.Cleanup(func() { server.Close() })
	}
}

func admin(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, out)
	}
}

// read types the lines of a page, with a bridge that knows nothing of the other
// pages.
func (v *village) read(t *testing.T, lines []string) {
	broker := v.house.Broker(t, interop.BrokerConfig{})
	devices := []interop.Device{{Name: "Bath", Password: "geheim"}}
	if strings.Contains(strings.Join(lines, "\n"), "/den/") { // it takes no sound, so that it is not one of all
		devices = append(devices, interop.Device{Name: "Den", Host: v.den.Host, Port: v.den.Port})
	}
	bridge := v.house.Bridge(t, interop.BridgeConfig{Broker: broker, MDNS: true, Files: v.files, Devices: devices})
	v.atHome(t, bridge.Client)
	shell := v.house.Shell(t, t.TempDir(), broker.Port)
	for name, content := range v.files {
		if err := os.WriteFile(filepath.Join(shell.Dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range lines {
		if v.spared(line) {
			continue
		}
		if strings.Contains(line, "bridge ") && strings.Contains(line, " -to ") {
			bridge.Stop(t) // it would keep the speaker for itself
			v.enter(t, bridge.Client, shell, line)
			v.house.StartAgain(t, bridge)
			v.atHome(t, bridge.Client)
			continue
		}
		v.enter(t, bridge.Client, shell, line)
	}
}

// atHome waits until the bridge knows everybody.
func (v *village) atHome(t *testing.T, c *interop.Client) {
	t.Helper()
	at := time.Now()
	for _, slug := range []string{"kitchen", "hall", "porch", "bath"} {
		c.Wait(t, at.Add(-moment), "airplay/"+slug+"/availability", 2*moment, func(p string) bool { return p == "online" })
	}
}

// spared tells whether a line is not typed, or was on another page.
func (v *village) spared(line string) bool {
	if command, _, _ := strings.Cut(line, "  #"); strings.HasPrefix(line, "bridge ") {
		if v.typed[command] {
			return true
		}
		v.typed[command] = true
	}
	for beginning := range notTyped {
		if strings.HasPrefix(line, beginning) {
			v.spares[beginning] = true
			return true
		}
	}
	return false
}

var published = regexp.MustCompile(`mosquitto_pub .*-t '?airplay/([a-z0-9_]+)/([a-z0-9_/]+)`)

// enter types a line, and wants it to end well; if it gives a command, that too.
func (v *village) enter(t *testing.T, c *interop.Client, shell *interop.Shell, line string) {
	t.Helper()
	at := time.Now()
	if out, err := shell.Run(line); err != nil {
		t.Errorf("%s\n%v\n%s", line, err, out)
		return
	}
	m := published.FindStringSubmatch(line)
	if m == nil {
		return
	}
	topic := "airplay/" + m[1] + "/result"
	if m[1] == "bridge" {
		topic = "airplay/bridge/response/" + strings.TrimPrefix(m[2], "request/")
	}
	var answer interop.Result
	c.Wait(t, at, topic, 2*moment, func(payload string) bool {
		answer = interop.Result{}
		return json.Unmarshal([]byte(payload), &answer) == nil && answer.Status != "accepted"
	})
	if answer.Code() != "ok" {
		t.Errorf("%s\nis answered %s: %v", line, answer.Code(), answer.Error)
	}
}
