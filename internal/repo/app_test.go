package repo_test

import (
	"bytes"
	"fmt"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"airplay2mqtt/bridge/config"

	"gopkg.in/yaml.v3"
)

// The folder of the app of Home Assistant, held to the rules that its supervisor
// has for apps (supervisor/addons/validate.py and options.py of
// home-assistant/supervisor, read in November 2026). An app that breaks one is
// not shown in the store, and nobody says why.
const app = "../../packaging/homeassistant/airplay2mqtt/"

// ruleOf says for each key of an app's config.yaml what it must be.
var ruleOf = map[string]func(v any) string{
	"name": text, "description": text, "url": text,
	"version":           matching(`^[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.]+)?$`),
	"slug":              matching(`^[-_.A-Za-z0-9]+$`),
	"arch":              all(oneOf("aarch64", "amd64")),
	"startup":           oneOf("initialize", "system", "services", "application", "once"),
	"boot":              oneOf("auto", "manual", "manual_only"),
	"stage":             oneOf("stable", "experimental", "deprecated"),
	"init":              boolean,
	"host_network":      boolean,
	"homeassistant_api": boolean,
	"ingress":           boolean,
	"ingress_port":      number,
	"ingress_stream":    boolean,
	"panel_icon":        matching(`^mdi:[a-z-]+$`),
	"panel_title":       text,
	"services":          all(matching(`^(mqtt|mysql):(provide|want|need)$`)),
	"privileged":        all(oneOf("BPF", "DAC_READ_SEARCH", "IPC_LOCK", "NET_ADMIN", "NET_RAW", "PERFMON", "SYS_ADMIN", "SYS_MODULE", "SYS_NICE", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME")),
	"map":               all(mapping),
	"backup_exclude":    all(text),
	"environment":       environment,
	"options":           anything,
	"schema":            schema,
	"image":             matching(`^[a-z0-9./{}-]+$`),
	"watchdog":          matching(`^(https?|\[PROTO:\w+\]|tcp)://\[HOST\]:(\[PORT:\d+\]|\d+).*$`),
}

// elementRule is RE_SCHEMA_ELEMENT of the supervisor.
var elementRule = regexp.MustCompile(`^(bool|email|url|port|device(\(subsystem=[a-z]+\))?|(str|password)(\(\d*,\d*\))?|int(\(\d*,\d*\))?|float(\([\d.]*,[\d.]*\))?|match\(.*\)|list\(.+\))\??$`)

func text(v any) string {
	if s, ok := v.(string); !ok || s == "" {
		return "is no text"
	}
	return ""
}

func boolean(v any) string {
	if _, ok := v.(bool); !ok {
		return "is neither true nor false"
	}
	return ""
}

func number(v any) string {
	if n, ok := v.(int); !ok || n < 0 || n > 65535 {
		return "is no port"
	}
	return ""
}

func anything(any) string { return "" }

func matching(pattern string) func(any) string {
	return func(v any) string {
		if s, ok := v.(string); !ok || !regexp.MustCompile(pattern).MatchString(s) {
			return fmt.Sprintf("%v does not match %s", v, pattern)
		}
		return ""
	}
}

func oneOf(words ...string) func(any) string {
	return func(v any) string {
		if s, ok := v.(string); !ok || !slices.Contains(words, s) {
			return fmt.Sprintf("%v is not one of %v", v, words)
		}
		return ""
	}
}

func all(rule func(any) string) func(any) string {
	return func(v any) string {
		list, ok := v.([]any)
		if !ok {
			return "is no list"
		}
		for _, one := range list {
			if wrong := rule(one); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

func mapping(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return "a row is no mapping with a type"
	}
	kinds := oneOf("data", "config", "ssl", "addons", "backup", "share", "media", "homeassistant_config", "all_addon_configs", "addon_config")
	if wrong := kinds(m["type"]); wrong != "" {
		return wrong
	}
	for key := range m {
		if !slices.Contains([]string{"type", "read_only", "path"}, key) {
			return key + " is not known"
		}
	}
	return ""
}

func environment(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return "is no mapping"
	}
	for key, value := range m {
		if _, isText := value.(string); !isText || !regexp.MustCompile(`^\w*$`).MatchString(key) {
			return key + " is no text"
		}
	}
	return ""
}

// schema is SCHEMA_ELEMENT of the supervisor: a list holds no list.
func schema(v any) string {
	switch v := v.(type) {
	case string:
		if !elementRule.MatchString(v) {
			return fmt.Sprintf("%q is no type of an option", v)
		}
	case []any:
		if len(v) != 1 {
			return "a list has one row, of which there may be many"
		}
		if _, nested := v[0].([]any); nested {
			return "a list holds a list"
		}
		return schema(v[0])
	case map[string]any:
		for key, one := range v {
			if wrong := schema(one); wrong != "" {
				return key + ": " + wrong
			}
		}
	default:
		return fmt.Sprintf("%v is no type of an option", v)
	}
	return ""
}

// brokenRules are those that an app's config.yaml breaks.
func brokenRules(c map[string]any) (broken []string) {
	for _, key := range []string{"name", "version", "slug", "description", "arch"} {
		if c[key] == nil {
			broken = append(broken, key+" is missing")
		}
	}
	for key, value := range c {
		rule, known := ruleOf[key]
		if !known {
			broken = append(broken, key+" is no key that we know of")
			continue
		}
		if wrong := rule(value); wrong != "" {
			broken = append(broken, key+": "+wrong)
		}
	}
	options, _ := c["options"].(map[string]any)
	types, _ := c["schema"].(map[string]any)
	for key := range options {
		if types[key] == nil {
			broken = append(broken, "options: "+key+" is not in the schema")
		}
	}
	slices.Sort(broken)
	return broken
}

func readYAML(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return m
}

func TestAppOfHomeAssistantKeepsItsRules(t *testing.T) {
	for _, broken := range brokenRules(readYAML(t, app+"config.yaml")) {
		t.Error(broken)
	}
	for _, file := range []string{"DOCS.md", "README.md", "Dockerfile", "icon.png", "logo.png"} {
		if _, err := os.Stat(app + file); err != nil {
			t.Error(err)
		}
	}
	if readYAML(t, app+"../repository.yaml")["name"] == nil {
		t.Error("repository.yaml has no name")
	}
}

func TestBrokenRulesOfAppsAreFound(t *testing.T) {
	for change, want := range map[string]func(c map[string]any){
		"slug is missing":                    func(c map[string]any) { delete(c, "slug") },
		"arch: i386 is not one of":           func(c map[string]any) { c["arch"] = []any{"i386"} },
		"hostnetwork is no key":              func(c map[string]any) { c["hostnetwork"] = true },
		"services: mqtt does not match":      func(c map[string]any) { c["services"] = []any{"mqtt"} },
		"privileged: NET_BIND_SERVICE is":    func(c map[string]any) { c["privileged"] = []any{"NET_BIND_SERVICE"} },
		`schema: log: "words" is no type`:    func(c map[string]any) { c["schema"] = map[string]any{"log": "words"} },
		"options: log is not in the schema":  func(c map[string]any) { c["schema"] = map[string]any{} },
		"environment: A is no text":          func(c map[string]any) { c["environment"] = map[string]any{"A": true} },
		"map: music is not one of":           func(c map[string]any) { c["map"] = []any{map[string]any{"type": "music"}} },
		"schema: a: a list holds a list":     func(c map[string]any) { c["schema"] = map[string]any{"a": []any{[]any{"str"}}} },
		"version: 1 does not match":          func(c map[string]any) { c["version"] = "1" },
		"homeassistant_api: is neither true": func(c map[string]any) { c["homeassistant_api"] = "yes" },
	} {
		c := readYAML(t, app+"config.yaml")
		want(c)
		if got := strings.Join(brokenRules(c), "\n"); !strings.Contains(got, change) {
			t.Errorf("got %q, want %q", got, change)
		}
	}
}

// Each option must be a key of our configuration, for that is what it becomes.
func TestOptionsOfTheAppAreKeysOfTheConfiguration(t *testing.T) {
	c := readYAML(t, app+"config.yaml")
	types := c["schema"].(map[string]any)
	known := config.Variables()
	var look func(name string, v any)
	look = func(name string, v any) {
		if group, ok := v.(map[string]any); ok {
			for key, one := range group {
				look(name+"_"+strings.ToUpper(key), one)
			}
			return
		}
		if !slices.Contains(known, name) {
			t.Errorf("%s is no variable of the configuration", name)
		}
	}
	for key, one := range types {
		look(config.Prefix+strings.ToUpper(key), one)
	}
	environ := []string{}
	for key, value := range c["environment"].(map[string]any) {
		environ = append(environ, key+"="+value.(string))
	}
	cfg, err := config.Load("", environ)
	if err != nil {
		t.Errorf("what the app sets: %v", err)
	}
	if want := fmt.Sprintf(":%v", c["ingress_port"]); !strings.HasSuffix(cfg.Web.Listen, want) {
		t.Errorf("the page listens at %s, and ingress is at %s", cfg.Web.Listen, want)
	}
}

func TestTranslationsOfTheAppAreOfItsOptions(t *testing.T) {
	types := readYAML(t, app+"config.yaml")["schema"].(map[string]any)
	files, err := filepath.Glob(app + "translations/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("got %v and %v, want two languages at least", files, err)
	}
	for _, file := range files {
		said := readYAML(t, file)["configuration"].(map[string]any)
		if got, want := slices.Sorted(maps.Keys(said)), slices.Sorted(maps.Keys(types)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", file, got, want)
		}
		for key, one := range said {
			fields, _ := one.(map[string]any)["fields"].(map[string]any)
			of, _ := types[key].(map[string]any)
			for field := range fields {
				if of[field] == nil {
					t.Errorf("%s: %s.%s is no option", file, key, field)
				}
			}
			if one.(map[string]any)["name"] == nil {
				t.Errorf("%s: %s has no name", file, key)
			}
		}
	}
}

func TestIconsOfTheAppAreAsTheyAreDrawn(t *testing.T) {
	folder := t.TempDir()
	if out, err := exec.Command("go", "run", app+"../icon.go", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, size := range map[string][2]int{"icon.png": {128, 128}, "logo.png": {250, 100}} {
		drawn, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(app + name)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.DecodeConfig(bytes.NewReader(kept))
		if err != nil || img.Width != size[0] || img.Height != size[1] {
			t.Errorf("%s: got %d by %d and %v, want %v", name, img.Width, img.Height, err, size)
		}
		if !bytes.Equal(drawn, kept) {
			t.Errorf("%s is not as icon.go draws it", name)
		}
	}
}
