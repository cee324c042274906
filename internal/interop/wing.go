//go:build linux

package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Wing is the part of the house that speaks AirPlay 2: shairport-sync 5 with
// nqptp, each in an annex of its own.
type Wing struct {
	Salon, Studio *Receiver // plain
	Library       *Receiver // wants the password "geheim"
	Attic         *Receiver // loses one packet in twenty
}

// Interfaces are those that lead to the receivers, for discovery.
func (w *Wing) Interfaces() []string {
	var names []string
	for _, r := range w.receivers() {
		names = append(names, r.Interface)
	}
	return names
}

func (w *Wing) receivers() []*Receiver { return []*Receiver{w.Salon, w.Studio, w.Library, w.Attic} }

// early is by how much sooner than it is heard a frame comes out of
// shairport-sync 5: with a buffer of nothing it plays nothing, and with one of
// 100 ms it hands over what is due in 92 (measured).
const early = 92 * time.Millisecond

// Wing returns the wing, which the first call builds. Where it cannot be built
// the test is skipped, or fails if CI is set.
func (h *House) Wing(t testing.TB) *Wing {
	t.Helper()
	needSid(t)
	w, err := wing()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var wing = sync.OnceValues(func() (*Wing, error) {
	w, dir := new(Wing), os.Getenv(envLane)
	var building errgroup.Group
	for i, room := range []struct {
		receiver **Receiver
		cfg      ReceiverConfig
	}{
		{&w.Salon, ReceiverConfig{Name: "Salon"}},
		{&w.Studio, ReceiverConfig{Name: "Studio"}},
		{&w.Library, ReceiverConfig{Name: "Library", Password: "geheim"}},
		{&w.Attic, ReceiverConfig{Name: "Attic", Loss: 0.05}},
	} {
		building.Go(func() (err error) {
			*room.receiver, err = startModern(dir, i+1, room.cfg)
			return err
		})
	}
	return w, building.Wait()
})

var modernConfig = template.Must(template.New("").Parse(`general = {
 name = "{{.Config.Name}}"; port = 7000;
{{- if .Config.Password}} password = "{{.Config.Password}}";{{end}}
 output_backend = "pipe"; interpolation = "basic"; ignore_volume_control = "yes";
 audio_backend_buffer_desired_length_in_seconds = 0.1;
};
pipe = { name = "/mnt/{{.Config.Name}}.pcm"; output_format = "S16_LE"; output_rate = 44100; output_channels = 2; };
metadata = { enabled = "yes"; include_cover_art = "yes"; pipe_name = "/mnt/{{.Config.Name}}.meta"; };
diagnostics = { statistics = "yes"; log_verbosity = 2; drop_this_fraction_of_audio_packets = {{printf "%.3f" .Config.Loss}}; };
`))

// modernProgram waits until the keeper of the time is there: a receiver that
// does not find it announces itself as AirPlay 1. Both are favoured where that is
// allowed, for a speaker has a machine of its own.
const modernProgram = `renice -n -15 $$ >/dev/null 2>&1 || true
nqptp &
until [ -e /dev/shm/nqptp ]; do sleep 0.02; done
exec shairport-sync -c /mnt/%s.conf`

// startModern starts a receiver in the annex of a number, and waits until it
// takes connections.
func startModern(dir string, number int, cfg ReceiverConfig) (*Receiver, error) {
	base := filepath.Join(dir, cfg.Name)
	r := &Receiver{Config: cfg, Port: 7000}
	var err error
	if r.Recorder, err = record(base + ".pcm"); err != nil {
		return nil, err
	}
	r.early = early
	if r.Metadata, err = readMetadata(base + ".meta"); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := modernConfig.Execute(&text, map[string]any{"Config": cfg}); err != nil {
		return nil, err
	}
	if err := os.WriteFile(base+".conf", text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	a, err := startAnnex(dir, cfg.Name, number, fmt.Sprintf(modernProgram, cfg.Name))
	if err != nil {
		return nil, err
	}
	r.process, r.Host, r.Interface = a.Process, a.Host, a.Interface
	return r, r.process.until("it takes connections and has announced itself", func() bool {
		return r.answers() && strings.Contains(r.process.Output.String(), "successfully added")
	})
}
