package bridge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"airplay2mqtt/bridge"
)

func TestTheNewestThatIsRememberedIsKept(t *testing.T) {
	folder := t.TempDir()
	r, err := bridge.OpenRegistry(folder)
	if err != nil {
		t.Fatal(err)
	}
	r.Name("001132000001", "Kitchen")
	older, err := r.Prepare()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Prepare(); again != nil || err != nil {
		t.Errorf("nothing has changed: got %v to write, and %v", again != nil, err)
	}
	r.Name("001132000002", "Porch")
	newer, err := r.Prepare()
	if err != nil {
		t.Fatal(err)
	}
	for _, write := range []func() error{newer, older} { // the disk was slow with the older
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "devices.json"))
	if err != nil || !strings.Contains(string(text), "porch") {
		t.Errorf("got %s and %v, want the porch in it", text, err)
	}
}
