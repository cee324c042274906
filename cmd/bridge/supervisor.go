package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/bridge/config"
)

// As an app of Home Assistant the bridge gets its options from a file, and the
// broker from the supervisor. Both become what the environment could say as
// well, so that nothing is read in two ways.

// A supervisor is Home Assistant's, as an app sees it.
type supervisor struct {
	url     string // where it answers
	options string // the file with what the user has set
}

// homeAssistant is the supervisor of every app.
var homeAssistant = supervisor{url: "http://supervisor", options: "/data/options.json"}

// token is what the supervisor has given us; "": we are not an app.
func (w world) token() string {
	for _, kv := range w.environ {
		if token, ok := strings.CutPrefix(kv, "SUPERVISOR_TOKEN="); ok && w.supervisor.url != "" {
			return token
		}
	}
	return ""
}

// supervised is the environment with what the user has set as options.
func (w world) supervised() ([]string, error) {
	if w.token() == "" {
		return w.environ, nil
	}
	text, err := os.ReadFile(w.supervisor.options)
	if errors.Is(err, fs.ErrNotExist) {
		return w.environ, nil
	}
	if err != nil {
		return nil, err
	}
	said, err := variables(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.supervisor.options, err)
	}
	return append(slices.Clone(w.environ), said...), nil
}

// variables makes of options what the environment would say.
func variables(options []byte) ([]string, error) {
	var tree map[string]json.RawMessage
	if err := json.Unmarshal(options, &tree); err != nil {
		return nil, err
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		list = appendVariables(list, config.Prefix+strings.ToUpper(key), tree[key])
	}
	return list, nil
}

// appendVariables adds an option: a group is its keys, a list of texts is
// separated by commas, and a list of anything else is YAML, as JSON is.
func appendVariables(list []string, name string, value json.RawMessage) []string {
	var group map[string]json.RawMessage
	var texts []string
	var text string
	switch {
	case string(value) == "null":
	case json.Unmarshal(value, &group) == nil:
		for _, key := range slices.Sorted(maps.Keys(group)) {
			list = appendVariables(list, name+"_"+strings.ToUpper(key), group[key])
		}
	case json.Unmarshal(value, &texts) == nil:
		list = append(list, name+"="+strings.Join(texts, ","))
	case json.Unmarshal(value, &text) == nil:
		list = append(list, name+"="+text)
	default:
		list = append(list, name+"="+string(value))
	}
	return list
}

// patience is how long the supervisor may take to know the broker: it may be
// starting itself.
const patience = 30 * time.Second

// supervisedBroker asks the supervisor for the broker, as the environment would say it.
func (w world) supervisedBroker() ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pause := time.NewTicker(2 * time.Second)
	defer pause.Stop()
	for {
		said, err := w.askBroker(ctx)
		if err == nil {
			return said, nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("the supervisor of Home Assistant knows no broker: %w; install the Mosquitto broker app, or set mqtt.server", err)
		}
	}
}

func (w world) askBroker(ctx context.Context) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.supervisor.url+"/services/mqtt", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Message string
		Data    struct {
			Host, Username, Password string
			Port                     int
			SSL                      bool
		}
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer)
	d := answer.Data
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s %s", resp.Status, oneLine(answer.Message))
	case err != nil:
		return nil, err
	case d.Host == "" || d.Port == 0:
		return nil, errors.New("the answer names no host and port")
	}
	scheme := "mqtt"
	if d.SSL {
		scheme = "mqtts"
	}
	return []string{
		config.Prefix + "MQTT_SERVER=" + scheme + "://" + net.JoinHostPort(d.Host, strconv.Itoa(d.Port)),
		config.Prefix + "MQTT_USERNAME=" + d.Username,
		config.Prefix + "MQTT_PASSWORD=" + d.Password,
	}, nil
}
