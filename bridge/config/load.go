package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"airplay2mqtt/internal/nearest"

	"gopkg.in/yaml.v3"
)

// A Mistake is one thing in the configuration that cannot be meant.
type Mistake struct {
	Where string // the file, or the variable of the environment
	Line  int    // zero: nowhere in particular
	Key   string // mqtt.server, devices[0].port; may be empty
	Text  string // what is wrong, and what would be right
}

func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.Where)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d", m.Line)
	}
	b.WriteString(": ")
	if m.Key != "" {
		b.WriteString(m.Key + ": ")
	}
	return b.String() + m.Text
}

// Mistakes are all that were found, in the order of their lines.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].String()
	}
	return strings.Join(lines, "\n")
}

// Load reads the file at path, if path is not empty, and then the variables
// AIRPLAY2MQTT_… of environ ("KEY=value"), which win. An error is an
// *fs.PathError where the file cannot be read, else Mistakes, and then the
// Config holds what could be understood.
func Load(path string, environ []string) (Config, error) {
	if path == "" {
		return parse("", nil, environ)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Default(), err
	}
	return parse(path, text, environ)
}

// Parse is Load for a text that is not in a file; name stands for it in
// mistakes.
func Parse(name string, text []byte, environ []string) (Config, error) {
	return parse(name, text, environ)
}

func parse(name string, text []byte, environ []string) (Config, error) {
	cfg := Default()
	r := reading{name: name, cfg: &cfg}
	r.decode(text)
	r.environment(environ)
	r.supervise(environ)
	r.check()
	if len(r.mistakes) == 0 {
		return cfg, nil
	}
	sort.SliceStable(r.mistakes, func(i, j int) bool { return r.mistakes[i].Line < r.mistakes[j].Line })
	return cfg, r.mistakes
}

// reading is one Load under way.
type reading struct {
	name     string
	cfg      *Config
	root     *yaml.Node // nil: there is no text
	fromEnv  map[string]string
	mistakes Mistakes
}

func (r *reading) wrong(key, format string, args ...any) {
	m := Mistake{Where: r.name, Line: r.line(key), Key: key, Text: fmt.Sprintf(format, args...)}
	if variable, ok := r.fromEnv[key]; ok {
		m.Where, m.Line = variable, 0
	}
	if m.Where == "" {
		m.Where = "configuration"
	}
	r.mistakes = append(r.mistakes, m)
}

func (r *reading) decode(text []byte) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(r.cfg)
	if errors.Is(err, io.EOF) {
		return // empty, or nothing but comments: the defaults
	}
	var root yaml.Node
	if yaml.Unmarshal(text, &root) == nil {
		r.root = &root
	}
	var typed *yaml.TypeError
	switch {
	case errors.As(err, &typed):
		for _, e := range typed.Errors {
			r.mistakes = append(r.mistakes, r.explain(e))
		}
	case err != nil:
		r.mistakes = append(r.mistakes, r.explain(strings.TrimPrefix(err.Error(), "yaml: ")))
	case d.Decode(new(yaml.Node)) == nil:
		r.mistakes = append(r.mistakes, Mistake{Where: r.name, Text: "there is a second document after ---; only one is read"})
	}
}

var (
	atLine       = regexp.MustCompile(`^line (\d+): `)
	unknownField = regexp.MustCompile(`^field (\S+) not found in type config\.(\w+)$`)
	duplicate    = regexp.MustCompile(`^mapping key "([^"]+)" already defined at line (\d+)$`)
	cannotDecode = regexp.MustCompile("^cannot unmarshal !!(\\w+)(?: `(.*)`)? into (\\S+)$")
)

// explain turns what the decoder says into what a person can act on.
func (r *reading) explain(said string) Mistake {
	m := Mistake{Where: r.name, Text: said}
	if at := atLine.FindStringSubmatch(said); at != nil {
		m.Line, _ = strconv.Atoi(at[1])
		m.Text = said[len(at[0]):]
	}
	if f := unknownField.FindStringSubmatch(m.Text); f != nil {
		known := keysOf(f[2])
		m.Text = fmt.Sprintf("unknown key %q%s", f[1], cmp.Or(nearest.Hint(f[1], known), elsewhere(f[1])))
		if !strings.Contains(m.Text, "did you mean") {
			m.Text += "; known here: " + strings.Join(known, ", ")
		}
	} else if d := duplicate.FindStringSubmatch(m.Text); d != nil {
		m.Text = fmt.Sprintf("%q is given twice, first in line %s", d[1], d[2])
	} else if c := cannotDecode.FindStringSubmatch(m.Text); c != nil {
		m.Text = fmt.Sprintf("%s is wanted here, not %q", wanted(c[3]), c[2])
		if c[2] == "" {
			m.Text = wanted(c[3]) + " is wanted here"
		}
	}
	return m
}

// elsewhere is where a key stands that is known, but not where it was written:
// the end of a sentence, or "".
func elsewhere(key string) string {
	var places []string
	cfg := Default()
	each(reflect.ValueOf(&cfg).Elem(), "", func(path string, _ reflect.Value) {
		if strings.HasSuffix(path, "."+key) {
			places = append(places, path)
		}
	})
	if len(places) == 0 {
		return ""
	}
	return ", did you mean " + strings.Join(places, " or ") + "?"
}

func wanted(goType string) string {
	switch {
	case goType == "bool":
		return "true or false"
	case goType == "string":
		return "a text"
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "a group of keys"
}

// line finds where a key like devices[0].port stands, or the nearest that
// encloses it; zero where there is no text.
func (r *reading) line(key string) int {
	if r.root == nil || len(r.root.Content) == 0 {
		return 0
	}
	n, line := r.root.Content[0], 0
	for _, part := range strings.FieldsFunc(key, func(c rune) bool { return c == '.' || c == '[' || c == ']' }) {
		if n = child(n, part); n == nil {
			return line
		}
		line = n.Line
	}
	return line
}

func child(n *yaml.Node, part string) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(part); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == part {
			return n.Content[i+1]
		}
	}
	return nil
}
