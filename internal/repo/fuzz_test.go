package repo_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	fuzzRow    = regexp.MustCompile("(?m)^\\| `([\\w/]+)` \\|(( `Fuzz\\w+`)+) \\|")
)

// targetsInTree are the fuzz targets by their packages.
func targetsInTree(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, file := range tree(t, "_test.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fuzzTarget.FindAllSubmatch(text, -1) {
			dir := filepath.ToSlash(dir)
			found[dir] = append(found[dir], string(m[1]))
		}
	}
	return found
}

// The page says what is fuzzed, all of it and nothing else.
func TestEveryFuzzTargetIsListed(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string][]string{}
	for _, m := range fuzzRow.FindAllStringSubmatch(string(page), -1) {
		listed[m[1]] = strings.Fields(strings.ReplaceAll(m[2], "`", ""))
	}
	found := targetsInTree(t)
	if len(found) == 0 {
		t.Fatal("there are no fuzz targets in the tree")
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		want := slices.Sorted(slices.Values(found[name]))
		if got := slices.Sorted(slices.Values(listed[name])); !slices.Equal(got, want) {
			t.Errorf("docs/architecture.md: %s: got fuzz targets %v, want %v", name, got, want)
		}
	}
	for name := range listed {
		if found[name] == nil {
			t.Errorf("docs/architecture.md lists fuzz targets of %s, which has none", name)
		}
	}
}
