package repo_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// floors says which of our packages each package may import: imports run
// downward only, and what is not listed is not allowed. docs/architecture.md
// has the picture. A row may end in /... for all packages below.
var floors = map[string][]string{
	// 5
	"cmd/bridge": {"bridge", "bridge/config", "bridge/player", "airplay/ptp", "bridge/mqtt", "bridge/vault", "bridge/web", "raop", "raop/raoptest", "airplay", "airplay/pair", "audio", "audio/stream", "audio/wav", "discovery", "internal/chime", "internal/nearest", "internal/ntp", "internal/rtp", "internal/rtsp", "internal/systemd"},
	// 4
	"bridge": {"dacp", "raop", "airplay", "airplay/film", "airplay/mediaserver", "airplay/pair", "airplay/ptp", "airplay/video", "audio/ffmpeg", "bridge/...", "audio", "audio/pcm", "audio/stream", "discovery", "internal/atomicfile", "internal/chime", "internal/nearest"},
	// 3
	"raop":                {"dacp", "internal/duty", "audio", "audio/alac", "audio/stream", "internal/legacy", "internal/pairing", "internal/parameter", "internal/rtsp", "internal/rtp", "internal/ntp", "internal/features"},
	"raop/raoptest":       {"dacp/dacptest", "internal/fake", "audio", "audio/alac", "internal/legacy", "internal/rtsp", "internal/rtp", "internal/ntp"},
	"airplay":             {"airplay/ptp", "dacp", "internal/duty", "audio", "audio/alac", "audio/stream", "internal/features", "internal/hap", "internal/legacy", "internal/ntp", "internal/pairing", "internal/parameter", "internal/plist", "internal/rtp", "internal/rtsp"},
	"airplay/airplaytest": {"dacp/dacptest", "internal/fake", "airplay/video/videotest", "audio/alac", "internal/gptp", "internal/hap", "internal/ntp", "internal/plist", "internal/rtp", "internal/rtsp"},
	"airplay/pair":        {"airplay", "internal/hap", "internal/legacy", "internal/pairing", "internal/rtsp"},
	"airplay/ptp":         {"internal/gptp"},
	"bridge/player":       {"audio", "audio/alac", "audio/loudness", "audio/stream"},

	"airplay/film":        {},
	"airplay/mediaserver": {"airplay/film"},
	"airplay/video":       {"airplay", "internal/features", "internal/hap", "internal/legacy", "internal/ntp", "internal/pairing", "internal/parameter", "internal/plist", "internal/rtp", "internal/rtsp"},

	"airplay/video/videotest": {"internal/legacy", "internal/plist", "internal/rtsp"},
	// 2
	"audio/stream":            {"audio", "audio/alac"},
	"audio/stream/streamtest": {"audio", "audio/alac", "audio/stream"},

	"dacp":          {"internal/duty", "internal/parameter"},
	"dacp/dacptest": {"internal/rtsp"},
	// 1
	"audio":          {"audio/wav", "audio/mp3", "audio/flac", "audio/ogg", "audio/aiff", "audio/ffmpeg", "audio/pcm", "audio/loudness", "audio/downmix", "audio/tags"},
	"audio/aiff":     {"audio/cursor", "audio/downmix", "audio/sample", "audio/tags"},
	"audio/ffmpeg":   {"audio/downmix", "audio/tags", "audio/wav"},
	"audio/pcm":      {"audio/downmix", "audio/tags"},
	"audio/loudness": {},
	"audio/wav":      {"audio/cursor", "audio/downmix", "audio/sample", "audio/tags"},
	"audio/mp3":      {"audio/cursor", "audio/tags"},
	"audio/flac":     {"audio/downmix", "audio/tags"},
	"audio/ogg":      {"audio/downmix", "audio/tags", "audio/flac"},
	"audio/alac":     {},
	"audio/cursor":   {},
	"audio/downmix":  {},
	"audio/sample":   {},
	"audio/tags":     {},

	"audio/internal/audiotest": {"audio/downmix"},

	"discovery":     {},
	"bridge/config": {"internal/nearest"},
	"bridge/media":  {},
	"bridge/voice":  {},

	"bridge/assistant":               {},
	"bridge/assistant/assistanttest": {},

	"bridge/mqtt":  {},
	"bridge/hass":  {},
	"bridge/vault": {"airplay", "internal/atomicfile"},
	"bridge/web":   {"bridge/mqtt"},

	"internal/atomicfile": {},
	"internal/chime":      {},
	"internal/chromium":   {},
	"internal/duty":       {"internal/rtp", "internal/rtsp"},
	"internal/fake":       {},
	"internal/features":   {},
	"internal/gptp":       {},
	"internal/hap":        {"internal/pairing", "internal/rtsp", "internal/srp", "internal/tlv8"},
	"internal/interop":    {"..."}, // tests of the whole, nothing imports it
	"internal/legacy":     {"internal/pairing", "internal/plist", "internal/rtsp", "internal/srp"},
	"internal/memnet":     {},
	"internal/nearest":    {},
	"internal/ntp":        {},
	"internal/pairing":    {"internal/rtsp"},
	"internal/parameter":  {"audio"},
	"internal/plist":      {},
	"internal/repo":       {},
	"internal/rtp":        {"internal/ntp"},
	"internal/rtsp":       {},
	"internal/srp":        {},
	"internal/systemd":    {},
	"internal/tlv8":       {},
}

// testOnly may be imported by tests of any package, and by nothing else that
// is not listed above.
var testOnly = []string{"dacp/dacptest", "raop/raoptest", "airplay/airplaytest", "airplay/video/videotest", "bridge/assistant/assistanttest", "audio/stream/streamtest", "audio/internal/audiotest", "internal/chromium", "internal/memnet", "internal/interop"}

const module = "airplay2mqtt"

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []listedPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestImportsRunDownward(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		seen[name] = true
		allowed, ok := floors[name]
		if !ok {
			t.Errorf("%s is in no row of the table: decide on which floor it lives", name)
			continue
		}
		for _, i := range p.Imports {
			ours, ok := strings.CutPrefix(i, module+"/")
			if ok && !permits(allowed, ours) {
				t.Errorf("%s imports %s, which it may not", name, ours)
			}
			if ok && slices.Contains(testOnly, ours) && !slices.Contains(allowed, ours) && name != "internal/interop" {
				t.Errorf("%s imports %s, which is for tests", name, ours)
			}
		}
	}
	for name := range floors {
		if !seen[name] {
			t.Errorf("%s is in the table and not in the tree", name)
		}
	}
}

func permits(allowed []string, name string) bool {
	for _, a := range allowed {
		if below, ok := strings.CutSuffix(a, "..."); ok && strings.HasPrefix(name, below) || a == name {
			return true
		}
	}
	return false
}

// The table itself must not hold a circle, or its floors would be none.
func TestTableHasNoCircles(t *testing.T) {
	const walking, done = 1, 2
	marks := map[string]int{}
	var walk func(name string, way []string)
	walk = func(name string, way []string) {
		switch marks[name] {
		case walking:
			t.Errorf("a circle: %s", strings.Join(append(way, name), " -> "))
			return
		case done:
			return
		}
		marks[name] = walking
		for other := range floors {
			if other != name && permits(floors[name], other) && other != "internal/interop" {
				walk(other, append(way, name))
			}
		}
		marks[name] = done
	}
	for name := range floors {
		if name != "internal/interop" {
			walk(name, nil)
		}
	}
}

// libraries are named in one package only, so that they can be exchanged.
var libraries = map[string][]string{
	"github.com/eclipse/paho.mqtt.golang": {"bridge/mqtt"},
	"github.com/mochi-mqtt/server":        {"bridge/mqtt"},
	"github.com/grandcat/zeroconf":        {"discovery"},
	"github.com/miekg/dns":                {"discovery"},
	"github.com/hajimehoshi/go-mp3":       {"audio/mp3"},
	"github.com/mewkiz/flac":              {"audio/flac"},
	"github.com/jfreymuth":                {"audio/ogg"},
	"github.com/pion/opus":                {"audio/ogg"},
	"github.com/youpy/go-wav":             {"audio/wav"},
	"github.com/bogem/id3v2":              {"audio/tags"},
	"github.com/gorilla/websocket":        {"bridge/assistant", "bridge/assistant/assistanttest", "bridge/web"},
	"golang.org/x/crypto":                 {"internal/hap", "airplay", "airplay/airplaytest"},
	"gopkg.in/yaml.v3":                    {"bridge/config"},
}

func TestLibrariesAreNamedInOnePackage(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, i := range p.Imports {
			for library, homes := range libraries {
				if strings.HasPrefix(i, library) && !slices.Contains(homes, name) && name != "internal/interop" {
					t.Errorf("%s imports %s, which belongs to %s", name, path.Base(i), strings.Join(homes, ", "))
				}
			}
		}
	}
}

// TestUpwardImportIsFound keeps the check itself honest.
func TestUpwardImportIsFound(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"audio", "bridge"}, {"raop", "airplay"}, {"airplay", "raop"}, {"bridge/player", "raop"},
		{"discovery", "bridge/mqtt"}, {"audio/stream", "bridge/player"}, {"bridge", "cmd/bridge"},
	} {
		if permits(floors[c.from], c.to) {
			t.Errorf("the table lets %s import %s", c.from, c.to)
		}
	}
}
