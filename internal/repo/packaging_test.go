package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestImageIsSmallAndNobodyInItIsRoot(t *testing.T) {
	text := readFile(t, "Dockerfile")
	_, last, _ := strings.Cut(text, "\nFROM scratch\n")
	for _, want := range []string{"\nUSER 65532:65532\n", "\nHEALTHCHECK ", `CMD ["/bridge", "health"]`, `ENTRYPOINT ["/bridge"]`} {
		if !strings.Contains("\n"+last, want) {
			t.Errorf("the last stage has no %q", strings.TrimSpace(want))
		}
	}
	for _, want := range []string{"CGO_ENABLED=0", "-X main.version=$VERSION", "cap_net_bind_service"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(last, "\nRUN ") {
		t.Error("the last stage has no shell to run anything with")
	}
}

func TestComposeIsHardened(t *testing.T) {
	c := readYAML(t, filepath.Join(root, "docker-compose.yml"))
	bridge := c["services"].(map[string]any)["bridge"].(map[string]any)
	for key, want := range map[string]any{"network_mode": "host", "read_only": true} {
		if bridge[key] != want {
			t.Errorf("%s: got %v, want %v", key, bridge[key], want)
		}
	}
	if got := bridge["cap_drop"].([]any); !slices.Equal(got, []any{"ALL"}) {
		t.Errorf("cap_drop: got %v, want ALL", got)
	}
	if got := bridge["cap_add"].([]any); !slices.Equal(got, []any{"NET_BIND_SERVICE"}) {
		t.Errorf("cap_add: got %v, want NET_BIND_SERVICE", got)
	}
	for _, service := range c["services"].(map[string]any) {
		for _, v := range service.(map[string]any)["volumes"].([]any) {
			from, _, _ := strings.Cut(v.(string), ":")
			if file, ok := strings.CutPrefix(from, "./"); ok && strings.Contains(file, ".") {
				readFile(t, file) // it must be there, or Docker makes a folder of it
			}
		}
	}
	docker, err := exec.LookPath("docker")
	if err != nil || exec.Command(docker, "compose", "version").Run() != nil {
		t.Log("docker compose is not installed here; it has not read the file")
		return
	}
	cmd := exec.Command(docker, "compose", "config", "--quiet")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v: %s", err, out)
	}
}

func TestServiceOfSystemd(t *testing.T) {
	unit := readFile(t, "packaging/systemd/airplay2mqtt.service")
	for _, want := range []string{
		"Type=notify", "WatchdogSec=", "ExecReload=", "DynamicUser=yes", "AmbientCapabilities=CAP_NET_BIND_SERVICE",
		"CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "ProtectSystem=strict", "NoNewPrivileges=yes", "SystemCallFilter=@system-service",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX", "MemoryDenyWriteExecute=yes",
	} {
		if !strings.Contains(unit, "\n"+want) {
			t.Errorf("%s is missing", want)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed here; it has not read the unit")
		return
	}
	// It wants the program to be there, and the manual installed.
	program := filepath.Join(t.TempDir(), "airplay2mqtt")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unit = strings.ReplaceAll(unit, "/usr/local/bin/airplay2mqtt", program)
	unit = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(unit, "")
	file := filepath.Join(t.TempDir(), "airplay2mqtt.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "airplay2mqtt.service:") {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
	out, err = exec.Command(analyze, "security", "--offline=true", "--threshold=25", file).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Errorf("systemd-analyze security finds it more exposed than 2.5: %v: %s", err, lines[len(lines)-1])
	}
}

// The version stands in one place for people, and is stamped where it is built.
func TestVersionsAgree(t *testing.T) {
	version := readYAML(t, app+"config.yaml")["version"].(string)
	if !strings.Contains(readFile(t, "CHANGELOG.md"), "\n## "+version) {
		t.Errorf("CHANGELOG.md says nothing of %s", version)
	}
	out, err := exec.Command("go", "run", "-ldflags", "-X main.version="+version, "airplay2mqtt/cmd/bridge", "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "airplay2mqtt "+version+" ") {
		t.Errorf("got %q and %v, want the version that was stamped", out, err)
	}
}
