package bridge_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"airplay2mqtt/bridge"
)

func TestJournalSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	j, err := bridge.OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{
		j.Begin("A", 0.3), j.Begin("B", 0.5),
		j.Begin("A", 0.9), // it is raised already: what it had before counts
		j.End("B"), j.End("C"),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	j, err = bridge.OpenJournal(dir) // as after a kill
	if err != nil {
		t.Fatal(err)
	}
	if got, want := j.Left(), map[string]float64{"A": 0.3}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := j.End("A"); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestJournalThatCannotBeReadIsSaidAndStillWorks(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":2}`, `[]`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "raised.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := bridge.OpenJournal(dir)
		if err == nil {
			t.Errorf("%q: got no error", text)
		}
		if kept, _ := os.ReadFile(filepath.Join(dir, "raised.json.corrupt")); string(kept) != text {
			t.Errorf("%q: kept aside: %q", text, kept)
		}
		if err := j.Begin("A", 0.3); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := len(j.Left()); got != 1 {
			t.Errorf("%q: got %d entries", text, got)
		}
	}
}
