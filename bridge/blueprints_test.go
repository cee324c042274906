package bridge_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/hass"

	"gopkg.in/yaml.v3"
)

const homeAssistantDocs = "../docs/homeassistant/"

// samples are what the templates of the blueprints may hold, and what Home
// Assistant could make of them: as it stands in a payload, or in a topic.
var samples = map[string]string{
	"base": "airplay", "speaker": "kitchen", "engine": "tts.piper",
	"chime | to_json": `"door \"bell\""`, "others | to_json": `["hall", "bath"]`, "critical | to_json": "true",
	"volume | int": "60", "seconds | int": "60", "now().timestamp()": "1789905600.123456",
	"message | urlencode": "Dinner%20is%20ready%21", "language | urlencode": "de_DE",
}

// A blueprint as Home Assistant's schema of blueprints has it: nothing else may
// stand there.
type blueprint struct {
	Name          string `yaml:"name"`
	Description   string `yaml:"description"`
	Domain        string `yaml:"domain"`
	Author        string `yaml:"author"`
	SourceURL     string `yaml:"source_url"`
	HomeAssistant struct {
		MinVersion string `yaml:"min_version"`
	} `yaml:"homeassistant"`
	Input map[string]input `yaml:"input"`
}

// An input, or a section of them.
type input struct {
	Name        string               `yaml:"name"`
	Description string               `yaml:"description"`
	Icon        string               `yaml:"icon"`
	Collapsed   bool                 `yaml:"collapsed"`
	Default     yaml.Node            `yaml:"default"`
	Selector    map[string]yaml.Node `yaml:"selector"`
	Input       map[string]input     `yaml:"input"`
}

// bodies are the keys that may stand beside the blueprint, by its domain.
var bodies = map[string][]string{
	"automation": {"mode", "max", "variables", "triggers", "conditions", "actions"},
	"script":     {"mode", "max", "variables", "fields", "sequence"},
}

// modes and selectors are those of Home Assistant that we use.
var (
	modes     = []string{"single", "restart", "queued", "parallel"}
	selectors = map[string][]string{
		"entity": {"filter", "multiple"}, "text": {"multiple", "multiline"}, "boolean": {},
		"number": {"min", "max", "unit_of_measurement", "step", "mode"},
	}
)

// read is a document, and the node that it is.
func read(t *testing.T, path string) *yaml.Node {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil || len(doc.Content) != 1 {
		t.Fatalf("%s: %v", path, err)
	}
	return doc.Content[0]
}

// strict decodes a node into a type, and nothing but that.
func strict(t *testing.T, n *yaml.Node, to any) {
	t.Helper()
	text, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(to); err != nil {
		t.Error(err)
	}
}

// at is the value of a key of a mapping.
func at(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return &yaml.Node{}
}

// walk visits a node and all below.
func walk(n *yaml.Node, visit func(*yaml.Node)) {
	visit(n)
	for _, c := range n.Content {
		walk(c, visit)
	}
}

func TestBlueprintsAreThoseOfHomeAssistant(t *testing.T) {
	files, err := filepath.Glob(homeAssistantDocs + "blueprints/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("got %v, %v, want three blueprints", files, err)
	}
	used := map[string]bool{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			doc := read(t, file)
			var b blueprint
			strict(t, at(doc, "blueprint"), &b)
			if b.Name == "" || b.Description == "" || !regexp.MustCompile(`^20\d\d\.\d+\.\d+$`).MatchString(b.HomeAssistant.MinVersion) {
				t.Errorf("%+v: name, description or min_version is missing", b)
			}
			for i := 0; i < len(doc.Content); i += 2 {
				if key := doc.Content[i].Value; key != "blueprint" && !slices.Contains(bodies[b.Domain], key) {
					t.Errorf("%s is no key of domain %q", key, b.Domain)
				}
			}
			if mode := at(doc, "mode").Value; !slices.Contains(modes, mode) {
				t.Errorf("mode is %q", mode)
			}
			checkInputs(t, doc, declared(t, b.Input))
			checkVariables(t, doc)
			if n := checkPublications(t, doc, used); n == 0 {
				t.Error("it publishes nothing")
			}
		})
	}
	for expression := range samples {
		if !used[expression] {
			t.Errorf("no blueprint says {{ %s }}", expression)
		}
	}
}

// declared are the names of inputs, those in sections too.
func declared(t *testing.T, inputs map[string]input) []string {
	t.Helper()
	var names []string
	for name, in := range inputs {
		if in.Input != nil {
			names = append(names, declared(t, in.Input)...)
			continue
		}
		names = append(names, name)
		if in.Name == "" || len(in.Selector) != 1 {
			t.Errorf("%s has no name, or not one selector", name)
		}
		for kind, n := range in.Selector {
			known, ok := selectors[kind]
			if !ok {
				t.Errorf("%s has the selector %s", name, kind)
			}
			for i := 0; i < len(n.Content); i += 2 {
				if key := n.Content[i].Value; !slices.Contains(known, key) {
					t.Errorf("%s: %s is no key of the selector %s", name, key, kind)
				}
			}
		}
	}
	return names
}

// checkInputs holds that all inputs that are declared are used, and the other
// way round.
func checkInputs(t *testing.T, doc *yaml.Node, names []string) {
	t.Helper()
	used := map[string]bool{}
	walk(doc, func(n *yaml.Node) {
		switch {
		case n.Tag == "!input" && !slices.Contains(names, n.Value):
			t.Errorf("line %d: there is no input %q", n.Line, n.Value)
		case n.Tag == "!input":
			used[n.Value] = true
		case strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!"):
			t.Errorf("line %d: %s is no tag of blueprints", n.Line, n.Tag)
		}
	})
	for _, name := range names {
		if !used[name] {
			t.Errorf("the input %s is not used", name)
		}
	}
}

var (
	expression = regexp.MustCompile(`\{\{ (.*?) \}\}`)
	firstWord  = regexp.MustCompile(`^\w+`)
)

// checkVariables holds that templates know what they speak of: inputs are not
// known in templates, but by variables.
func checkVariables(t *testing.T, doc *yaml.Node) {
	t.Helper()
	known := []string{"trigger", "now"}
	for _, group := range []string{"variables", "fields"} {
		for i := 0; i < len(at(doc, group).Content); i += 2 {
			known = append(known, at(doc, group).Content[i].Value)
		}
	}
	walk(doc, func(n *yaml.Node) {
		for _, m := range expression.FindAllStringSubmatch(n.Value, -1) {
			if word := firstWord.FindString(m[1]); !slices.Contains(known, word) {
				t.Errorf("line %d: %q is no variable", n.Line, word)
			}
		}
	})
}

// checkPublications has the bridge read what a document publishes. It counts
// them, and notes which templates they used.
func checkPublications(t *testing.T, doc *yaml.Node, used map[string]bool) (count int) {
	t.Helper()
	fill := func(n *yaml.Node) string {
		return expression.ReplaceAllStringFunc(n.Value, func(s string) string {
			inner := expression.FindStringSubmatch(s)[1]
			sample, ok := samples[inner]
			if !ok {
				t.Errorf("line %d: no sample for %s", n.Line, s)
			}
			used[inner] = true
			return sample
		})
	}
	walk(doc, func(n *yaml.Node) {
		if at(n, "action").Value != "mqtt.publish" && at(n, "perform_action").Value != "mqtt.publish" {
			return
		}
		count++
		data := at(n, "data")
		topic := strings.Split(fill(at(data, "topic")), "/")
		if len(topic) != 3 || topic[0] != "airplay" {
			t.Errorf("line %d: %v is no command topic", n.Line, topic)
			return
		}
		if at(data, "retain").Value == "true" {
			t.Errorf("line %d: commands are never retained", n.Line)
		}
		verb, ok := topic[2], false
		if _, ok = bridge.Verbs()[verb]; !ok {
			t.Errorf("line %d: there is no command %s", n.Line, verb)
			return
		}
		payload := fill(at(data, "payload"))
		if _, _, _, err := bridge.ParseOrder(verb, []byte(payload), noon); err != nil {
			t.Errorf("line %d: %s %s: %v", n.Line, verb, payload, err)
		}
	})
	return count
}

// TestTheDashboardShowsWhatThereIs looks for its entities among those that Home
// Assistant is told of, and reads what its buttons publish.
func TestTheDashboardShowsWhatThereIs(t *testing.T) {
	doc := read(t, homeAssistantDocs+"dashboard.yaml")
	there := map[string]bool{}
	for _, m := range (hass.Device{ID: "AABBCCDDEEFF", Slug: "kitchen", Chimes: []string{"doorbell"}, Voice: true, Pairing: true}).Messages() {
		var payload struct {
			Components map[string]struct {
				Entity string `json:"default_entity_id"`
			}
		}
		if json.Unmarshal(m.Payload, &payload) == nil {
			for _, c := range payload.Components {
				there[c.Entity] = true
			}
		}
	}
	named := regexp.MustCompile(`\b(?:sensor|image|button|number|switch|text|siren|event|notify|binary_sensor)\.kitchen\w*`)
	entities := 0
	walk(doc, func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			return
		}
		for _, entity := range named.FindAllString(n.Value, -1) {
			if entities++; !there[entity] {
				t.Errorf("line %d: there is no %s", n.Line, entity)
			}
		}
	})
	if n := checkPublications(t, doc, map[string]bool{}); n != 3 || entities < 10 {
		t.Errorf("got %d buttons that publish and %d entities, want 3 and more than 10", n, entities)
	}
	walk(doc, func(n *yaml.Node) {
		if kind := at(n, "type"); kind.Value != "" && !slices.Contains(cards, kind.Value) {
			t.Errorf("line %d: %s is no card of Home Assistant's own", kind.Line, fmt.Sprintf("%q", kind.Value))
		}
	})
}

// cards are those that need nothing installed.
var cards = []string{"vertical-stack", "horizontal-stack", "picture-entity", "markdown", "button", "entities", "conditional"}
