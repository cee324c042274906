package voice_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/voice"
)

// speaker is a command that speaks as the program of that name does.
func speaker(t *testing.T, args ...string) voice.Command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return voice.Command{Args: append([]string{self}, args...), MaxSound: 4096}
}

func TestACommandGetsTheTextAndGivesASound(t *testing.T) {
	c := speaker(t, "well", "-v{language}", "--model=/voices/{voice}.onnx", "$(id)")
	for _, test := range []struct {
		text voice.Text
		want string
	}{
		{voice.Text{Message: `"; rm -rf $HOME`}, `RIFF----WAVE "\"; rm -rf $HOME\n" ["$(id)"]`},
		{voice.Text{Message: "Grüße", Language: "de"}, `RIFF----WAVE "Grüße\n" ["-vde" "$(id)"]`},
		{voice.Text{Message: "x", Language: "en-us+f3", Voice: "de_DE-thorsten-medium"},
			`RIFF----WAVE "x\n" ["-ven-us+f3" "--model=/voices/de_DE-thorsten-medium.onnx" "$(id)"]`},
	} {
		got, err := c.Speak(t.Context(), test.text)
		if err != nil || string(got) != test.want {
			t.Errorf("%+v: got %s, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestWhatCouldBeAnOptionOrLeadElsewhereIsNoWord(t *testing.T) {
	c := speaker(t, "well", "{voice}", "{language}")
	for _, bad := range []string{"-f/etc/passwd", "../../secret", "a/b", "a..b", ".", "a b", "a\x00", strings.Repeat("x", 80), "é"} {
		for _, text := range []voice.Text{{Message: "x", Voice: bad}, {Message: "x", Language: bad}} {
			if got, err := c.Speak(t.Context(), text); !errors.Is(err, voice.ErrWord) {
				t.Errorf("%+v: got %s, %v, want ErrWord", text, got, err)
			}
		}
	}
}

func TestACommandThatGivesNoSoundSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		command voice.Command
		want    string
	}{
		"crash":   {speaker(t, "crash"), "exit status 3: the model is not there"},
		"noise":   {speaker(t, "noise"), "23 bytes that are no WAV file"},
		"nothing": {speaker(t, "nothing"), "0 bytes that are no WAV file"},
		"babble":  {speaker(t, "babble"), "more than 4096 bytes (tts.max_sound)"},
		"absent":  {voice.Command{Args: []string{"no-such-program-here"}}, "no-such-program-here is not installed (tts.command)"},
		"gone":    {voice.Command{Args: []string{filepath.Join(t.TempDir(), "piper")}}, "is not installed"},
		"empty":   {voice.Command{}, "the command is empty"},
	} {
		got, err := c.command.Speak(t.Context(), voice.Text{Message: "hello"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestACommandThatTakesTooLongIsEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := speaker(t, "sleep").Speak(ctx, voice.Text{Message: "hello"}); err == nil {
		t.Error("got a sound, want an error")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it was ended after %v", took)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	file := filepath.Join(t.TempDir(), "pid")
	if _, err := speaker(t, "fork", file).Speak(t.Context(), voice.Text{Message: "hello"}); err == nil {
		t.Error("got a sound from a command whose output stays open, want an error")
	}
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		state, err := os.ReadFile("/proc/" + string(pid) + "/stat")
		if err != nil || bytes.Contains(state, []byte(") Z ")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %s is still there", pid)
}

func TestACommandDoesNotGetOurSecrets(t *testing.T) {
	t.Setenv("SUPERVISOR_TOKEN", "geheim-1")
	t.Setenv("AIRPLAY2MQTT_HOMEASSISTANT_TOKEN", "geheim-2")
	t.Setenv("LANG", "de_AT.UTF-8")
	got, err := speaker(t, "environment").Speak(t.Context(), voice.Text{Message: "hello"})
	if err != nil || bytes.Contains(got, []byte("geheim")) || !bytes.Contains(got, []byte("LANG=de_AT.UTF-8")) {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestEspeakSpeaks is with the real one, as docs and example say.
func TestEspeakSpeaks(t *testing.T) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("espeak-ng is not installed: sh scripts/setup")
		}
		t.Skip("espeak-ng is not installed")
	}
	c := voice.Command{Args: []string{"espeak-ng", "--stdin", "--stdout", "-v{language}"}}
	long := map[string]time.Duration{}
	for _, text := range []voice.Text{
		{Message: "Dinner is ready"}, {Message: "Dinner is ready, and the table is laid for everybody"},
		{Message: "Das Essen ist fertig", Language: "de"}, {Message: "--help -w /tmp/x", Language: "en"},
	} {
		wav, err := c.Speak(t.Context(), text)
		if err != nil {
			t.Fatalf("%q: %v", text.Message, err)
		}
		track, err := new(audio.Opener).OpenReader(t.Context(), reader{bytes.NewReader(wav)}, "speech")
		if err != nil {
			t.Fatalf("%q: %v", text.Message, err)
		}
		clip, err := audio.ReadClip(t.Context(), track.Source, time.Minute)
		track.Close()
		if err != nil {
			t.Fatalf("%q: %v", text.Message, err)
		}
		long[text.Message] = clip.Duration()
		if d, l := clip.Duration(), clip.Loudness().Loudness; d < 500*time.Millisecond || d > 10*time.Second || l < -40 || l > -3 {
			t.Errorf("%q: got %v at %.1f LUFS, which is no speech", text.Message, d, l)
		}
	}
	if long["Dinner is ready"] >= long["Dinner is ready, and the table is laid for everybody"] {
		t.Errorf("a longer text takes no longer: %v", long)
	}
	if _, err := c.Speak(t.Context(), voice.Text{Message: "hello", Language: "qqq"}); err == nil || !strings.Contains(err.Error(), "espeak-ng") {
		t.Errorf("a language that there is not: got %v", err)
	}
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }
