package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	main "airplay2mqtt/cmd/bridge"
)

// completions writes the completions for a shell to a file.
func completions(t *testing.T, shell string) (file string) {
	t.Helper()
	code, out, stderr := bridge(t, "completion", shell)
	if code != 0 {
		t.Fatalf("%s: got exit %d and %s", shell, code, stderr)
	}
	file = filepath.Join(t.TempDir(), shell)
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCompletionsNameEveryCommandAndFlag(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		text, err := os.ReadFile(completions(t, shell))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(main.Names(), "latency", "interfaces", "silent") {
			if !strings.Contains(string(text), name) {
				t.Errorf("%s: %s is missing", shell, name)
			}
		}
	}
}

func TestShellsUnderstandTheirCompletions(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			out, err := exec.Command(installed(t, shell), "-n", completions(t, shell)).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// installed is where a program is. Where there is none the test is skipped, or
// fails if CI is set.
func installed(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is not installed: sh scripts/setup", program)
	default:
		t.Skipf("%s is not installed", program)
	}
	return path
}

func TestBashCompletes(t *testing.T) {
	bash := installed(t, "bash")
	file := completions(t, "bash")
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "house.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]string{
		"bridge pl":                 {"play"},
		"bridge play -v":            {"-volume"},
		"bridge play -to K":         nil,
		"bridge credentials ex":     {"export"},
		"bridge completion f":       {"fish"},
		"bridge run -config house":  {"house.yaml"},
		"bridge doctor -":           {"-config", "-json", "-password", "-to"},
		"bridge play -config house": {"house.yaml"},
	} {
		script := `source "$1"; COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _bridge; printf '%s\n' "${COMPREPLY[@]}"`
		cmd := exec.Command(bash, "-c", script, "bash", file, line)
		cmd.Dir = folder
		out, err := cmd.Output()
		if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v and %v, want %v", line, got, err, want)
		}
	}
}

func TestCompletionForAnUnknownShell(t *testing.T) {
	if code, _, stderr := bridge(t, "completion", "tcsh"); code != 2 || !strings.Contains(stderr, "none of bash, zsh, fish") {
		t.Errorf("got exit %d and %q", code, stderr)
	}
}

func TestManualNamesEverything(t *testing.T) {
	code, out, stderr := bridge(t, "man")
	if code != 0 || !strings.HasPrefix(out, ".TH BRIDGE 1") {
		t.Fatalf("got exit %d, %q and %s", code, out[:min(len(out), 40)], stderr)
	}
	for _, name := range main.Names() {
		if !strings.Contains(out, "\n.SS bridge "+name) {
			t.Errorf("%s is missing", name)
		}
	}
	cmd := exec.Command(installed(t, "groff"), "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = strings.NewReader(out)
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("groff: %v: %s", err, said)
	}
}
