package bridge_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/bridge"
)

func topicsPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/topics.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is what stands below a heading, up to the next of its kind.
func section(page, heading string) string {
	_, rest, _ := strings.Cut(page, "\n## "+heading+"\n")
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

func TestEveryCommandIsDocumented(t *testing.T) {
	commands := section(topicsPage(t), "Commands")
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `airplay/kitchen/(\\w+)` (.*)$").FindAllStringSubmatch(commands, -1) {
		rows[m[1]] = m[2]
	}
	for name, v := range bridge.Verbs() {
		row, ok := rows[name]
		if !ok {
			t.Errorf("%s is a command and stands not in docs/topics.md", name)
			continue
		}
		for _, key := range v.Keys() {
			if !strings.Contains(row, "`"+key+"`") && !strings.Contains(commands, "`"+key+"`") {
				t.Errorf("%s takes %s, which docs/topics.md does not say", name, key)
			}
		}
	}
	for name := range rows {
		if _, ok := bridge.Verbs()[name]; !ok {
			t.Errorf("docs/topics.md has the command %s, which there is not", name)
		}
	}
}

// codes are the words that the sources of this package use as error codes.
func codes(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`return "([a-z_]+)"\n|refusal\{\s*"([a-z_]+)"|&problem\{\s*"([a-z_]+)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
			word := m[1] + m[2] + m[3]
			if m[1] == "" || file == "problems.go" {
				found[word] = true
			}
		}
	}
	return found
}

func TestEveryErrorCodeIsDocumented(t *testing.T) {
	answers := section(topicsPage(t), "Answers")
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(answers, -1) {
		documented[m[1]] = true
	}
	used := codes(t)
	if len(used) < 15 {
		t.Fatalf("found only %d codes in the sources: %v", len(used), used)
	}
	for code := range used {
		if !documented[code] {
			t.Errorf("%s is a code and stands not in docs/topics.md", code)
		}
	}
	for code := range documented {
		if !used[code] {
			t.Errorf("docs/topics.md has the code %s, which nothing gives", code)
		}
	}
}

func TestEveryRequestIsDocumented(t *testing.T) {
	text := section(topicsPage(t), "The bridge itself")
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `airplay/bridge/request/([\\w/]+)` (.*)$").FindAllStringSubmatch(text, -1) {
		rows[m[1]] = m[2]
	}
	for name, keys := range bridge.Requests() {
		row, ok := rows[name]
		if !ok {
			t.Errorf("%s is a request and stands not in docs/topics.md", name)
		}
		for _, key := range keys {
			if ok && !strings.Contains(row, "`"+key+"`") {
				t.Errorf("%s takes %s, which docs/topics.md does not say", name, key)
			}
		}
	}
	for name := range rows {
		if _, ok := bridge.Requests()[name]; !ok {
			t.Errorf("docs/topics.md has the request %s, which there is not", name)
		}
	}
}

// What somebody should look after has a word and an explanation.
func TestEveryTroubleIsDocumented(t *testing.T) {
	text := section(topicsPage(t), "The bridge itself")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)b\.trouble\([^,]+, "(\w+)"|code := "(\w+)"|code = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			found++
			if word := m[1] + m[2] + m[3]; !strings.Contains(text, "| `"+word+"` |") {
				t.Errorf("%s: %s is a problem that docs/topics.md does not explain", file, word)
			}
		}
	}
	if found < 3 {
		t.Errorf("found only %d problems in the sources", found)
	}
}

var (
	pubLine = regexp.MustCompile("mosquitto_pub ((?:'[^']*'|\"[^\"]*\"|[^'\"\n`])*)")
	pubArg  = regexp.MustCompile(` ?-([a-z]) ?('[^']*'|"[^"]*"|[^-\s]\S*)?`)
)

// published are the topic and the payload of a mosquitto_pub.
func published(line string) (topic, payload string, fromFile bool) {
	for _, m := range pubArg.FindAllStringSubmatch(" "+line, -1) {
		switch value := strings.Trim(m[2], `'"`); m[1] {
		case "t":
			topic = value
		case "m":
			payload = value
		case "f", "s", "l":
			fromFile = true
		}
	}
	return topic, payload, fromFile
}

// Whoever copies a line from any of the pages is understood.
func TestMessagesInAllDocumentsAreUnderstood(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../docs/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(append(pages, more...), "../README.md")
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pubLine.FindAllStringSubmatch(string(text), -1) {
			topic, payload, fromFile := published(m[1])
			rest, ours := strings.CutPrefix(topic, "airplay/")
			device, name, _ := strings.Cut(rest, "/")
			if !ours || fromFile {
				continue
			}
			found++
			if request, ok := strings.CutPrefix(name, "request/"); ok && device == "bridge" {
				err = bridge.ParseRequest(request, []byte(payload))
			} else if _, ok := bridge.Verbs()[name]; !ok {
				t.Errorf("%s: there is no command %s: %s", page, topic, m[0])
				continue
			} else {
				_, _, _, err = bridge.ParseOrder(name, []byte(payload), time.Now())
			}
			if err != nil {
				t.Errorf("%s: %s: %v", page, m[0], err)
			}
		}
	}
	if found < 60 {
		t.Errorf("found only %d messages in the documents", found)
	}
}
