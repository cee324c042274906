package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"airplay2mqtt/audio/wav"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

const demoHelp = `It starts, in this process and on the loopback interface only: a broker, a
virtual speaker that speaks AirPlay 1 (RAOP) and is found by discovery, and the
bridge. Then it rings a bell by publishing a message, as you would with
mosquitto_pub, shows what is said on the broker, and compares what the speaker
heard with what was sent, frame by frame. Exit status 0: it was the same.
`

const (
	demoSpeaker = "Demo Speaker"
	demoSlug    = "demo_speaker"
	demoFile    = "doorbell.wav"
)

// A demo is the whole way on one machine.
type demo struct {
	world
	broker  *mqtt.Broker
	speaker *raoptest.Receiver
	client  *mqtt.Client
	heard   chan mqtt.Message
	folder  string
	parts   errgroup.Group // what runs until the end
}

func (w world) demo(ctx context.Context, args []string) error {
	f := w.flags("demo")
	out := f.String("o", "demo.wav", "write what the speaker hears to this `file`")
	verbose := f.Bool("v", false, "show the bridge's log as well")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	level := "error"
	if *verbose {
		level = "debug"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	d := &demo{world: w, heard: make(chan mqtt.Message, 256)}
	err := d.run(ctx, w.logger(config.Log{Level: level}), *out)
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the demo did not come to its end within a minute; -v shows where it stands")
	}
	return err
}

func (d *demo) run(ctx context.Context, log zerolog.Logger, out string) error {
	var err error
	if d.folder, err = os.MkdirTemp("", "airplay2mqtt-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.folder)
	sent := chime.Doorbell()
	if err := writeWAV(filepath.Join(d.folder, demoFile), sent); err != nil {
		return err
	}
	if d.broker, err = mqtt.StartBroker(mqtt.BrokerConfig{Address: "127.0.0.1:0", Logger: log}); err != nil {
		return err
	}
	defer d.broker.Close()
	d.say("A broker listens on %s.", d.broker.Addr())
	if d.speaker, err = raoptest.New(raoptest.Config{Name: demoSpeaker}); err != nil {
		return err
	}
	defer d.speaker.Close()
	d.say("A virtual speaker, %q, listens on %s.", demoSpeaker, d.speaker.Addr())
	ctx, end := context.WithCancel(ctx)
	defer func() { end(); _ = d.parts.Wait() }() // before the broker and the speaker end
	settings := d.settings(ctx, log)
	if err := d.start(ctx, settings, log); err != nil {
		return err
	}
	return d.ring(ctx, sent, out)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.stdout, format+"\n", args...) }

// settings looks whether discovery works here, and configures the bridge so
// that it knows the speaker either way.
func (d *demo) settings(ctx context.Context, log zerolog.Logger) config.Config {
	s := config.Default()
	s.MQTT.Server = "mqtt://" + d.broker.Addr().String()
	s.Media.Folders, s.Data = []string{d.folder}, filepath.Join(d.folder, "data")
	s.Discovery.Interfaces = []string{loopback()}
	d.parts.Go(func() error {
		return discovery.Announce(ctx, discovery.Config{Interfaces: s.Discovery.Interfaces, Logger: log}, discovery.Instance{
			Name: d.speaker.Instance(), Type: "_raop._tcp", Port: uint16(d.speaker.Port()), TXT: d.speaker.TXT(),
		})
	})
	began := time.Now()
	found := false
	_, err := d.find(ctx, s, 8*time.Second, func(v discovery.Device) bool {
		found = found || v.Name == demoSpeaker
		return found
	})
	override := config.Device{Name: demoSpeaker, Latency: config.Chime, Protocol: "auto"}
	if found {
		d.say("Discovery found it after %.1f s.", time.Since(began).Seconds())
	} else {
		d.say("Discovery did not find it (%v): multicast does not work on %s here. It is configured by host and port instead.", err, loopback())
		s.Discovery.MDNS = false
		override.Host, override.Port = "127.0.0.1", d.speaker.Port()
	}
	s.Devices = []config.Device{override}
	return s
}

// start starts the bridge and a client that hears what it says.
func (d *demo) start(ctx context.Context, s config.Config, log zerolog.Logger) error {
	b, err := bridge.New(bridge.Config{Settings: s, Version: release(), Commit: commit(), Logger: log})
	if err != nil {
		return err
	}
	if d.client, err = mqtt.New(mqtt.Config{Server: s.MQTT.Server, Logger: log}); err != nil {
		return err
	}
	for _, topic := range []string{"bridge/state", demoSlug + "/availability", demoSlug + "/state", demoSlug + "/event", demoSlug + "/result"} {
		d.client.Handle("airplay/"+topic, func(m mqtt.Message) {
			select {
			case d.heard <- m:
			default: // nobody looks any more
			}
		})
	}
	d.parts.Go(func() error { return d.client.Run(ctx) })
	d.parts.Go(func() error { return b.Run(ctx) })
	d.say("\nThe bridge begins. You would see this with:\n  $ mosquitto_sub -h 127.0.0.1 -p %d -v -t 'airplay/#'\n", d.port())
	return d.await(ctx, demoSlug+"/availability", "online")
}

// ring publishes the command and follows it to its end.
func (d *demo) ring(ctx context.Context, sent []int16, out string) error {
	d.say("\nNow the bell is rung. You would do it with:\n  $ mosquitto_pub -h 127.0.0.1 -p %d -t airplay/%s/play_file -m %s\n", d.port(), demoSlug, demoFile)
	began := time.Now()
	err := d.client.Publish(ctx, mqtt.Message{Topic: "airplay/" + demoSlug + "/play_file", Payload: []byte(demoFile), QoS: 1})
	if err != nil {
		return err
	}
	if err := d.await(ctx, demoSlug+"/event", `"playback_finished"`); err != nil {
		return err
	}
	if err := d.await(ctx, demoSlug+"/state", `"state":"idle"`); err != nil {
		return err
	}
	return d.compare(began, sent, out)
}

func (d *demo) port() int {
	_, port, _ := strings.Cut(d.broker.Addr().String(), ":")
	var n int
	fmt.Sscan(port, &n)
	return n
}

// await shows what is said until a topic says something that holds a text.
func (d *demo) await(ctx context.Context, topic, text string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-d.heard:
			d.show(m)
			said := string(m.Payload)
			if strings.Contains(said, `"status":"error"`) {
				return fmt.Errorf("the command failed: %s", said)
			}
			if m.Topic == "airplay/"+topic && strings.Contains(said, text) {
				return nil
			}
		}
	}
}

// show writes a message as mosquitto_sub -v would, long ones in short.
func (d *demo) show(m mqtt.Message) {
	said := string(m.Payload)
	var state struct {
		State    string   `json:"state"`
		Title    *string  `json:"media_title"`
		Position *float64 `json:"media_position"`
	}
	if strings.HasSuffix(m.Topic, demoSlug+"/state") && json.Unmarshal(m.Payload, &state) == nil {
		said = fmt.Sprintf(`{"state":%q,...}`, state.State)
	}
	d.say("  %s %s", m.Topic, said)
}

// compare holds what the speaker heard against what was sent.
func (d *demo) compare(began time.Time, sent []int16, out string) error {
	heard, at := d.heardSound()
	if err := writeWAV(out, heard); err != nil {
		return err
	}
	d.say("\nWhat the speaker heard is in %s.", out)
	if len(heard) == 0 {
		return errors.New("the speaker heard nothing")
	}
	offset := index(heard, sent)
	if offset < 0 {
		return fmt.Errorf("the speaker heard %d frames, and not the %d of the bell among them", len(heard)/2, len(sent)/2)
	}
	first := at.Add(time.Duration(offset/2) * time.Second / chime.Rate)
	d.say("All %d frames of the bell are there, each exactly as it was sent.", len(sent)/2)
	d.say("From the message to the first frame: %d ms, with the session opened in that time.", first.Sub(began).Milliseconds())
	return nil
}

// heardSound is everything that the speaker heard, and when it began.
func (d *demo) heardSound() (pcm []int16, at time.Time) {
	for _, f := range d.speaker.Heard() {
		pcm = append(pcm, f[0], f[1])
	}
	if spans := d.speaker.Log().Spans; len(spans) > 0 {
		at = spans[0].At
	}
	return pcm, at
}

// index finds needle in hay: the index of its first sample, or -1.
func index(hay, needle []int16) int {
	for i := 0; i+len(needle) <= len(hay); i += 2 {
		same := 0
		for same < len(needle) && hay[i+same] == needle[same] {
			same++
		}
		if same == len(needle) {
			return i
		}
	}
	return -1
}

func writeWAV(path string, pcm []int16) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := wav.NewWriter(f, chime.Rate)
	if err != nil {
		return err
	}
	if err := w.Write(pcm); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}
