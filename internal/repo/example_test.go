package repo_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"airplay2mqtt/bridge/config"

	"github.com/google/go-cmp/cmp"
)

const example = "../../config.example.yaml"

func TestExampleIsTheDefaultConfiguration(t *testing.T) {
	got, err := config.Load(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), got); diff != "" {
		t.Errorf("(-default +example):\n%s", diff)
	}
}

func TestExampleNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		config.Config{}, config.MQTT{}, config.HomeAssistant{}, config.Discovery{}, config.Device{}, config.Group{}, config.Announcements{}, config.TTS{}, config.QuietHours{}, config.Limits{}, config.Media{}, config.Log{},
	} {
		for i := range reflect.TypeOf(v).NumField() {
			if key := reflect.TypeOf(v).Field(i).Tag.Get("yaml"); !strings.Contains(string(text), key+":") {
				t.Errorf("%T: %s is not in the example", v, key)
			}
		}
	}
}
