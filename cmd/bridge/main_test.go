package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"airplay2mqtt/audio/wav"
	main "airplay2mqtt/cmd/bridge"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/raop/raoptest"
)

// bridge runs the program in an empty folder.
func bridge(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	return here(t, args...)
}

// here runs it in the folder that is.
func here(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = main.Main(t.Context(), strings.NewReader(""), &out, &err, nil, args...)
	return code, out.String(), err.String()
}

func TestHelpTeaches(t *testing.T) {
	code, out, _ := bridge(t, "-h")
	if code != 0 {
		t.Errorf("exit: got %d, want 0", code)
	}
	for _, name := range main.Names() {
		if !strings.Contains(out, "\n  "+name+" ") {
			t.Errorf("bridge -h does not name %s", name)
		}
		code, out, stderr := bridge(t, name, "-h")
		if code != 0 || !strings.Contains(out, "Usage: bridge "+name) || stderr != "" {
			t.Errorf("%s -h: got exit %d and %q, want 0 and its usage", name, code, out)
		}
		if _, same, _ := bridge(t, "help", name); same != out {
			t.Errorf("help %s is not %s -h", name, name)
		}
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"pley", `there is no command "pley", did you mean "play"?`},
		{"play", "something is missing"},
		{"play x.mp3", "say -to NAME"},
		{"play -to a:1 -volume 200 x.mp3", "-volume takes 0 to 100"},
		{"play -to a:1 -latency soon x.mp3", `"soon" is no latency`},
		{"play -to a:1 x.mp3 y.mp3", `"y.mp3" is more than is understood`},
		{"discover -jsno", "flag provided but not defined: -jsno"},
		{"check extra", `"extra" is more`},
	} {
		code, _, stderr := bridge(t, strings.Fields(c.args)...)
		if code != 2 || !strings.Contains(stderr, c.want) {
			t.Errorf("bridge %s: got exit %d and %q, want 2 and %q", c.args, code, stderr, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	code, out, _ := bridge(t, "check")
	if code != 0 || !strings.Contains(out, "no mistakes") {
		t.Errorf("without a file: got exit %d and %q", code, out)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.yaml", []byte("mqtt: {sever: x}\nlog: {level: loud}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := here(t, "check")
	for _, want := range []string{"config.yaml:1: unknown key \"sever\"", "config.yaml:2: log.level", "there are 2 mistakes"} {
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("got exit %d and %q, want 1 and %q", code, stderr, want)
		}
	}
	code, _, stderr = here(t, "check", "-config", "none.yaml")
	if code != 1 || !strings.Contains(stderr, "none.yaml") {
		t.Errorf("a file that is not there: got exit %d and %q, want 1 and its name", code, stderr)
	}
}

func TestCheckKnowsTheCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.yaml", []byte("limits: {commands: [chme]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := here(t, "check")
	if code != 1 || !strings.Contains(stderr, `there is no command "chme", did you mean "chime"?`) {
		t.Errorf("got exit %d and %s", code, stderr)
	}
}

func TestCheckNotesMembersThatAreMisspelt(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "devices: [{name: Kitchen}, {name: Porch}]\ngroups: [{name: Down, members: [kichen, porch, Hall]}]\n"
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := here(t, "check")
	if code != 0 || !strings.Contains(out, `kichen, of the group Down, is no configured device, did you mean "Kitchen"?`) || strings.Count(out, "did you mean") != 1 {
		t.Errorf("got exit %d and %s, want 0 and one note", code, out)
	}
}

func TestPlayAdvisesAPassword(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "bell.wav")
	r := receiver(t, raoptest.Config{Password: "right"})
	for _, args := range [][]string{{"bell.wav"}, {"-password", "hunter2", "bell.wav"}} {
		code, _, stderr := here(t, append([]string{"play", "-to", r.Addr()}, args...)...)
		if code != 1 || !strings.Contains(stderr, "say -password, or set password for this device") || strings.Contains(stderr, "hunter2") {
			t.Errorf("%v: got exit %d and %q, want 1 and what to do", args, code, stderr)
		}
	}
}

func TestDiscoverWithoutDiscoveryListsWhatIsConfigured(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "discovery: {mdns: false}\ndevices:\n  - {name: Kitchen, host: 127.0.0.1, port: 5001}\n  - {name: Hall, host: hall.local, port: 7000}\n"
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := here(t, "discover", "-json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var list []struct {
		Slug, Address string
		Port          int
		Playable      bool
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(list) != 2 || list[0].Slug != "hall" || list[1].Address != "127.0.0.1" || list[1].Port != 5001 || !list[1].Playable {
		t.Errorf("got %s", out)
	}
}

func TestPlayTellsWhatIsWrongWithTheFileBeforeItDials(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("text.mp3", []byte("<html><body>not a sound</body></html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"none.mp3": "none.mp3", "text.mp3": "HTML", filepath.Join("..", "x\x00y"): "invalid",
	} {
		code, _, stderr := here(t, "play", "-to", "127.0.0.1:1", file)
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: got exit %d and %q, want 1 and %q", file, code, stderr, want)
		}
	}
	code, _, stderr := here(t, "play", "-to", "127.0.0.1:1", "-")
	if code != 1 || !strings.Contains(stderr, "standard input") {
		t.Errorf("empty standard input: got exit %d and %q", code, stderr)
	}
}

// write writes the doorbell to a file.
func write(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := wav.NewWriter(f, chime.Rate)
	if err == nil {
		err = w.Write(chime.Doorbell())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestProbe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("page.mp3", []byte("<!doctype html><html></html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, "bell.wav")
	var report map[string]any
	code, out, stderr := here(t, "probe", "-json", "bell.wav")
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 {
		t.Fatalf("got exit %d, %v, %s", code, err, stderr)
	}
	for key, want := range map[string]any{
		"container": "wav", "sample_rate": 44100.0, "bit_depth": 16.0, "channels": 2.0, "duration": 2.0, "streamable": true, "reason": "",
	} {
		if got := report[key]; got != want {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
	code, out, stderr = here(t, "probe", "-json", "page.mp3")
	if code != 1 || !strings.Contains(out, `"streamable": false`) || !strings.Contains(stderr, "HTML") {
		t.Errorf("a web page: got exit %d, %s and %s, want 1 and why", code, out, stderr)
	}
	if code, _, stderr := here(t, "probe", "none.wav"); code != 1 || !strings.Contains(stderr, "none.wav") {
		t.Errorf("no file: got exit %d and %s, want 1 and its name", code, stderr)
	}
}

func TestVersion(t *testing.T) {
	code, out, _ := bridge(t, "version")
	if code != 0 || !strings.HasPrefix(out, "airplay2mqtt ") {
		t.Errorf("got exit %d and %q", code, out)
	}
}
