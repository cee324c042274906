//go:build linux

package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// envNodeRED names the folder in which scripts/node-red has installed it.
const envNodeRED = "INTEROP_NODE_RED"

// nodeRED is the program, or why there is none.
func nodeRED() (string, error) {
	folders := []string{os.Getenv(envNodeRED)}
	if folders[0] == "" {
		folders = []string{"/var/cache/airplay2mqtt/node-red"}
		if cache, err := os.UserCacheDir(); err == nil {
			folders = append(folders, filepath.Join(cache, "airplay2mqtt", "node-red"))
		}
	}
	if missing := absent([]string{"node"}); len(missing) > 0 {
		return "", errors.New("node not found; scripts/setup installs it")
	}
	for _, folder := range folders {
		program := filepath.Join(folder, "node_modules", "node-red", "red.js")
		if _, err := os.Stat(program); err == nil {
			return program, nil
		}
	}
	return "", errors.New("Node-RED not found; scripts/setup installs it")
}

// A NodeRED is a running Node-RED that knows no flows but those imported.
type NodeRED struct {
	*Process
	URL    string
	broker *Broker
}

const nodeREDSettings = `module.exports = {
	uiHost: "127.0.0.1", uiPort: %d, userDir: %q, flowFile: "flows.json", credentialSecret: false,
	telemetry: { enabled: false, updateNotification: false },
	logging: { console: { level: "info", metrics: false, audit: false } },
};
`

// NodeRED starts a Node-RED that ends with the test and talks to a broker. Where
// there is none the test is skipped, or fails if CI is set.
func (h *House) NodeRED(t testing.TB, broker *Broker) *NodeRED {
	t.Helper()
	program, err := nodeRED()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := h.tempDir(t)
	settings := filepath.Join(dir, "settings.js")
	if err := os.WriteFile(settings, fmt.Appendf(nil, nodeREDSettings, port, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &NodeRED{URL: fmt.Sprintf("http://127.0.0.1:%d", port), broker: broker}
	if n.Process, err = start(nil, []string{"HOME=" + dir}, "node", program, "--settings", settings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	// It reads hundreds of files, which takes long where others read as well.
	n.Output.Wait(t, "Started flows", time.Minute)
	n.Output.Wait(t, "Server now running", time.Minute)
	return n
}

// Import replaces all flows by those of a file, as the editor imports and deploys
// them, with what the user fills in: the broker, and properties of the flow. It
// waits until they are connected.
func (n *NodeRED) Import(t testing.TB, c *Client, path string, properties map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []map[string]any
	if err := json.Unmarshal(text, &nodes); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	const birth = "interop/node-red"
	for _, node := range nodes {
		switch node["type"] {
		case "mqtt-broker":
			node["broker"], node["port"] = "127.0.0.1", fmt.Sprint(n.broker.Port)
			node["birthTopic"], node["birthPayload"] = birth, filepath.Base(path)
		case "tab":
			for _, row := range node["env"].([]any) {
				property := row.(map[string]any)
				if value, ok := properties[property["name"].(string)]; ok {
					property["value"] = value
					delete(properties, property["name"].(string))
				}
			}
		}
	}
	if len(properties) > 0 {
		t.Fatalf("%s has no property %v", path, properties)
	}
	at := time.Now()
	n.Ask(t, http.MethodPost, "/flows", nodes, http.StatusNoContent)
	c.Wait(t, at, birth, 2*patience, func(payload string) bool { return payload == filepath.Base(path) })
}

// Press presses the button of an inject node, by its name.
func (n *NodeRED) Press(t testing.TB, name string) {
	t.Helper()
	var nodes []struct{ ID, Type, Name string }
	if err := json.Unmarshal(n.Ask(t, http.MethodGet, "/flows", nil, http.StatusOK), &nodes); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		if node.Type == "inject" && node.Name == name {
			n.Ask(t, http.MethodPost, "/inject/"+node.ID, nil, http.StatusOK)
			return
		}
	}
	t.Fatalf("there is no inject node %q", name)
}

// Ask makes a request of its admin API and returns the answer, which must have
// this status.
func (n *NodeRED) Ask(t testing.TB, method, path string, body any, status int) []byte {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		content = nil
	}
	r, err := http.NewRequestWithContext(t.Context(), method, n.URL+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		t.Fatalf("%s %s: got %s (%v): %s\n%s", method, path, answer.Status, err, said, n.Output.Tail(20))
	}
	return said
}
