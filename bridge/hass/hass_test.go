package hass_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/bridge/hass"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	kitchen = hass.Device{
		ID: "5855CA1AE288", Slug: "kitchen", Name: "Kitchen", Manufacturer: "Apple", Model: "AirPort Express",
		Firmware: "7.8", Version: "0.1.0", MediaPlayer: true,
	}
	parlour = hass.Device{
		ID: "AA:BB:CC:00:11:22", Slug: "grosse_stube", Name: "Große Stube", BaseTopic: "house/sound", DiscoveryPrefix: "ha",
		Version: "0.1.0", Chimes: []string{"doorbell", "<alarm> & \"fire\""}, Voice: true, Pairing: true, Queue: true, MediaPlayer: true,
		Latencies: []string{"chime", "normal", "robust", "400ms"}, Leaders: []string{"kitchen", "downstairs", "all"},
	}
	bridge = hass.Bridge{BaseTopic: "airplay", Version: "0.1.0"}
	full   = hass.Bridge{BaseTopic: "House-1/sound", DiscoveryPrefix: "ha", Version: "0.1.0", Requests: []string{"rescan", "restart", "diagnostics", "log/level"}}
)

func TestPayloadsAreAsWritten(t *testing.T) {
	for name, messages := range map[string][]hass.Message{
		"kitchen": kitchen.Messages(), "parlour": parlour.Messages(), "bridge": bridge.Messages(), "bridge_full": full.Messages(),
	} {
		t.Run(name, func(t *testing.T) {
			for _, m := range messages {
				if !m.Retain {
					t.Errorf("%s is not retained", m.Topic)
				}
			}
			got, path := readable(t, messages), filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got; write it anew with -update):\n%s", path, diff)
			}
		})
	}
}

// readable is an object of topics and payloads, indented.
func readable(t *testing.T, messages []hass.Message) []byte {
	t.Helper()
	all := map[string]json.RawMessage{}
	for _, m := range messages {
		all[m.Topic] = m.Payload
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHomeAssistantTakesEveryDevice(t *testing.T) {
	for bits := range 128 {
		d := kitchen
		d.Voice, d.Pairing, d.Queue, d.MediaPlayer = bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&8 > 0
		if bits&16 > 0 {
			d.Chimes = []string{"doorbell"}
		}
		if bits&32 > 0 {
			d.Latencies = []string{"chime", "normal"}
		}
		if bits&64 > 0 {
			d.Leaders = []string{"hall"}
		}
		m := d.Messages()[0]
		for _, why := range refused(m.Topic, m.Payload) {
			t.Errorf("%+v: %s", d, why)
		}
		if len(m.Payload) > 8<<10 {
			t.Errorf("%d bytes", len(m.Payload))
		}
	}
	for _, m := range []hass.Message{
		parlour.Messages()[0], bridge.Messages()[0], full.Messages()[0], hass.Device{ID: "x y/é", Slug: "s"}.Messages()[0],
	} {
		for _, why := range refused(m.Topic, m.Payload) {
			t.Errorf("%s: %s", m.Topic, why)
		}
	}
}

func TestHomeAssistantRefusesWhatIsWrong(t *testing.T) {
	d := parlour
	topic, good := d.Topic(), string(d.Messages()[0].Payload)
	for name, tt := range map[string]struct{ old, new, want string }{
		"unknown root key":         {`{"device"`, `{"~":"x","device"`, "root: unknown key ~"},
		"unknown device key":       {`"identifiers"`, `"color":"red","identifiers"`, "device: unknown key color"},
		"unknown origin key":       {`"origin":{`, `"origin":{"url":"x",`, "origin: unknown key url"},
		"origin without name":      {`"origin":{"name":"airplay2mqtt"`, `"origin":{"name":""`, "origin: no name"},
		"no origin":                {`"origin"`, `"encoding":"","qos":1,"_":0,"x"`, "root: no origin"},
		"nothing identifies it":    {`"identifiers":["house_sound_AA_BB_CC_00_11_22"]`, `"identifiers":[]`, "device: nothing identifies it"},
		"media player":             {`"platform":"siren"`, `"platform":"media_player"`, `chime: platform "media_player" is not one of MQTT's`},
		"missing platform":         {`"platform":"siren",`, ``, `chime: platform "" is not one of MQTT's`},
		"missing unique id":        {`"unique_id":"house_sound_AA_BB_CC_00_11_22_chime",`, ``, "chime: no unique_id"},
		"unique id twice":          {`_22_chime"`, `_22_player"`, "unique_id house_sound_AA_BB_CC_00_11_22_player is another's, too"},
		"text of 256":              {`"max":255`, `"max":256`, "max 256 is more than 255"},
		"enum without options":     {`"options":["idle","buffering","playing","paused"]`, `"options":[]`, "player: class enum and options need each other"},
		"object id":                {`"default_entity_id":"siren.grosse_stube_chime"`, `"default_entity_id":"siren.grosse_stube_chime","object_id":"x"`, "chime: object_id is gone"},
		"entity id of another":     {`"siren.grosse_stube_chime"`, `"sensor.grosse_stube_chime"`, "chime: default_entity_id"},
		"entity id with capitals":  {`"siren.grosse_stube_chime"`, `"siren.Grosse_Stube"`, "chime: default_entity_id"},
		"PIN that stays":           {`"value_template":"{{ '' }}",`, ``, "pair_pin: what is typed stays"},
		"availability without all": {`"availability_mode":"all",`, ``, "several availabilities need the mode all"},
		"availability mode":        {`"availability_mode":"all"`, `"availability_mode":"each"`, "availability_mode each"},
		"availability not a list":  {`"availability":[{"topic":"house/sound/bridge/state"},{"topic":"house/sound/grosse_stube/availability"}]`, `"availability":{"topic":"x"}`, "availability is no list"},
		"event without types":      {`"event_types":[`, `"event_type":[`, "event: no event_types"},
		"image without topic":      {`"image_topic"`, `"picture_topic"`, "artwork: no image_topic"},
		"wildcard in a topic":      {`"image_topic":"house/sound`, `"image_topic":"house/+`, "artwork: image_topic"},
		"config sensor":            {`"entity_category":"diagnostic"`, `"entity_category":"config"`, "pairing: a binary_sensor cannot be config"},
		"icon":                     {`"mdi:bell-ring"`, `"bell"`, "chime: icon bell"},
		"select without options":   {`"options":["none","kitchen","downstairs","all"]`, `"options":[]`, "group: no options"},
		"option twice":             {`"options":["none","kitchen","downstairs","all"]`, `"options":["none","none"]`, "group: option none twice"},
		"button of no class":       {`"platform":"button"`, `"platform":"button","device_class":"bell"`, "device_class bell"},
		"volume upside down":       {`"min":0,"max":100`, `"min":100,"max":0`, "volume: min"},
		"template":                 {`{{ value_json.state }}`, `{{ value_json.state`, "player: value_template"},
		"not JSON":                 {`{`, ``, "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, tt.old, tt.new, 1)
			if bad == good {
				t.Fatalf("%q does not occur", tt.old)
			}
			if got := strings.Join(refused(topic, []byte(bad)), "; "); !strings.Contains(got, tt.want) {
				t.Errorf("refused because of %q, want %q", got, tt.want)
			}
		})
	}
	if got := refused("homeassistant/device/a b/config", []byte(good)); len(got) != 1 {
		t.Errorf("a topic with a space: %q, want one complaint", got)
	}
}

func TestUniqueIDsDoNotDependOnNames(t *testing.T) {
	renamed := kitchen
	renamed.Slug, renamed.Name = "cellar", "Cellar"
	before, after := ids(t, kitchen), ids(t, renamed)
	if !slices.Equal(before, after) {
		t.Errorf("unique ids %q became %q", before, after)
	}
	if kitchen.Topic() != renamed.Topic() {
		t.Errorf("topic %s became %s", kitchen.Topic(), renamed.Topic())
	}
}

func ids(t *testing.T, d hass.Device) (all []string) {
	t.Helper()
	var p struct {
		Components map[string]struct {
			UniqueID string `json:"unique_id"`
		}
	}
	if err := json.Unmarshal(d.Messages()[0].Payload, &p); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Components {
		all = append(all, c.UniqueID)
	}
	slices.Sort(all)
	return all
}

func TestMediaPlayerReadsTheTopicsThatAreListed(t *testing.T) {
	if n := len(hass.Device{ID: "a", Slug: "b"}.Messages()); n != 1 {
		t.Errorf("%d messages without a media player, want 1", n)
	}
	payload := kitchen.Messages()[1].Payload
	var p map[string]any
	if err := json.Unmarshal(payload, &p); err != nil {
		t.Fatal(err)
	}
	var got []string
	for key, topic := range p {
		if strings.HasPrefix(key, "state_") {
			got = append(got, strings.TrimPrefix(topic.(string), "airplay/kitchen/"))
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(hass.PlayerTopics)); !slices.Equal(got, want) {
		t.Errorf("reads %q, listed are %q", got, want)
	}
	if bytes.Contains(payload, []byte("next")) {
		t.Error("next, where there is no queue")
	}
}

func TestRemovalEmptiesEveryTopic(t *testing.T) {
	said := map[string]bool{}
	for _, m := range parlour.Removal() {
		if len(m.Payload) > 0 || !m.Retain {
			t.Errorf("%+v removes nothing", m)
		}
		said[m.Topic] = true
	}
	for _, m := range parlour.Messages() {
		if !said[m.Topic] {
			t.Errorf("%s stays", m.Topic)
		}
	}
	if got := bridge.Removal(); len(got) != 1 || got[0].Topic != bridge.Topic() || len(got[0].Payload) > 0 || !got[0].Retain {
		t.Errorf("removal of the bridge: %+v", got)
	}
}

func TestOurOwnMessagesAreKnown(t *testing.T) {
	neighbour := kitchen
	neighbour.BaseTopic = "airplay_2"
	inner := kitchen
	inner.BaseTopic = "house"
	for _, tt := range []struct {
		name     string
		messages []hass.Message
		base     string
		want     bool
	}{
		{"ours", kitchen.Messages(), "airplay", true},
		{"ours by default", kitchen.Messages(), "", true},
		{"ours below a path", parlour.Messages(), "house/sound", true},
		{"the bridge", bridge.Messages(), "airplay", true},
		{"the bridge below a path", full.Messages(), "House-1/sound", true},
		{"another base topic", kitchen.Messages(), "house", false},
		{"one that begins alike", neighbour.Messages(), "airplay", false},
		{"one that ours begins like", kitchen.Messages(), "airplay_2", false},
		{"a path that begins alike", parlour.Messages(), "house", false},
		{"removed", kitchen.Removal(), "airplay", false},
		{"another program", []hass.Message{{Payload: []byte(`{"origin":{"name":"zigbee2mqtt"},"availability":[{"topic":"airplay/bridge/state"}]}`)}}, "airplay", false},
		{"another media player", []hass.Message{{Payload: []byte(`{"name":"x","availability":{"topic":"airplay/x"}}`)}}, "airplay", false},
		{"no JSON", []hass.Message{{Payload: []byte("online")}}, "airplay", false},
	} {
		for _, m := range tt.messages {
			if got := hass.Ours(m, tt.base); got != tt.want {
				t.Errorf("%s: %s: %v, want %v", tt.name, m.Topic, got, tt.want)
			}
		}
	}
	if got, want := hass.Filters(""), []string{"homeassistant/device/+/config", "homeassistant/media_player/+/config"}; !slices.Equal(got, want) {
		t.Errorf("filters %q, want %q", got, want)
	}
}

func TestAComponentThatIsGoneIsSaidOnceMore(t *testing.T) {
	was, is := parlour, parlour
	is.Chimes, is.Voice = nil, false
	old, now := was.Messages()[0], is.Messages()[0]

	if got := hass.Update(old.Payload, old); got != nil {
		t.Errorf("no change said %d messages", len(got))
	}
	for name, retained := range map[string][]byte{"nothing": nil, "garbage": []byte("x"), "less": now.Payload} {
		m := old
		if got := hass.Update(retained, m); len(got) != 1 || !bytes.Equal(got[0].Payload, m.Payload) {
			t.Errorf("%s retained: %d messages, want the one", name, len(got))
		}
	}

	got := hass.Update(old.Payload, now)
	if len(got) != 2 || !bytes.Equal(got[1].Payload, now.Payload) || got[0].Topic != now.Topic || !got[0].Retain {
		t.Fatalf("said %d messages, want one before the new payload", len(got))
	}
	for _, why := range refused(got[0].Topic, got[0].Payload) {
		t.Error(why)
	}
	var p struct{ Components map[string]json.RawMessage }
	if err := json.Unmarshal(got[0].Payload, &p); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"chime": `{"platform":"siren"}`, "announce": `{"platform":"notify"}`} {
		if got := string(p.Components[key]); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if then := hass.Update(got[0].Payload, now); len(then) != 1 || !bytes.Equal(then[0].Payload, now.Payload) {
		t.Errorf("after that %d messages are said, want the new payload", len(then))
	}
	if len(p.Components) != len(ids(t, was)) {
		t.Errorf("%d components, want %d", len(p.Components), len(ids(t, was)))
	}
}

func FuzzOurs(f *testing.F) {
	f.Add(kitchen.Messages()[0].Payload, "airplay")
	f.Add([]byte(`{"components":{"a":{"platform":"x"}}}`), "a/b")
	f.Fuzz(func(t *testing.T, payload []byte, base string) {
		hass.Ours(hass.Message{Payload: payload}, base)
		if len(hass.Update(payload, kitchen.Messages()[0])) > 2 {
			t.Error("more than two messages")
		}
	})
}
