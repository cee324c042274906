package repo_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// unindented is a text without what its lines begin with.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func TestCodeOfTheDocumentsIsThatOfExamples(t *testing.T) {
	var examples strings.Builder
	for _, file := range tree(t, "_test.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc Example") {
			examples.WriteString(unindented(string(text)))
		}
	}
	for _, page := range []string{root + "/README.md", root + "/docs/library.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := goBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 {
			t.Errorf("%s has no code", page)
		}
		for _, m := range blocks {
			if !strings.Contains(examples.String(), unindented(m[1])) {
				t.Errorf("%s: no example has this code:\n%s", page, m[1])
			}
		}
	}
}
