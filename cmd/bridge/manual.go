package main

import (
	"context"
	"fmt"
	"strings"

	"airplay2mqtt/bridge/config"
)

const manualHelp = `  bridge man | man -l -
  bridge man > /usr/local/share/man/man1/bridge.1
`

// manual writes the manual page.
func (w world) manual(_ context.Context, args []string) error {
	f := w.flags("man")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	p := page{}
	p.add(".TH BRIDGE 1 \"\" \"airplay2mqtt %s\"\n", release())
	p.section("NAME", "bridge \\- play sound on AirPlay speakers, told by MQTT\n")
	p.section("SYNOPSIS", ".B bridge\n[\\fIcommand\\fR] [\\fIflags\\fR]\n")
	p.section("DESCRIPTION", "")
	p.text("bridge finds the AirPlay speakers of the network, shows each on an MQTT broker and to Home Assistant, plays what command topics ask for, and says back what happened. Without a configuration it starts a broker of its own on this machine. Without a command it is \"bridge run\".")
	p.section("COMMANDS", "")
	for _, d := range w.descriptions() {
		p.command(d)
	}
	p.section("SIGNALS", "")
	p.entry("SIGTERM, SIGINT", "stop the sound, hang up, say offline, and end, within three seconds; a second one ends at once")
	p.entry("SIGHUP", "read the configuration again: names, limits, groups, chimes, quiet hours and the log's level are taken over, and nothing that plays is disturbed; what else has changed is named in the log. On a terminal it ends the bridge")
	p.section("EXIT STATUS", "")
	p.entry("0", "well")
	p.entry("1", "failed; the reason is on standard error")
	p.entry("2", "the command line cannot be understood")
	p.section("ENVIRONMENT", "")
	p.entry(config.Prefix+"…", "each key of the configuration: mqtt.server is "+config.Prefix+"MQTT_SERVER. It goes before what the file says.")
	p.entry("NOTIFY_SOCKET, WATCHDOG_USEC", "set by systemd, which is told that the bridge is ready, and alive")
	p.section("FILES", "")
	p.entry(usualConfig, "the configuration, where -config names no other; config.example.yaml lists all keys")
	p.entry("data", "names, volumes, and what pairings leave")
	p.section("SEE ALSO", ".BR mosquitto_pub (1),\n.BR mosquitto (8)\n")
	_, err := fmt.Fprint(w.stdout, p.String())
	return err
}

// A page is a manual page under way, in the language of man(7).
type page struct{ strings.Builder }

func (p *page) add(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p *page) section(name, text string) { p.add(".SH %q\n%s", name, text) }

// escaped is a text in which nothing is an order.
func escaped(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\&...`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func (p *page) text(s string) { p.add("%s\n", escaped(s)) }

// entry is a word with what it means.
func (p *page) entry(word, meaning string) {
	p.add(".TP\n.B %s\n%s\n", escaped(word), escaped(meaning))
}

func (p *page) command(d description) {
	p.add(".SS %s\n", escaped(strings.TrimSpace("bridge "+d.name+" "+d.args)))
	p.text(capital(d.summary) + ".")
	for _, f := range d.flags {
		meaning := says(f)
		if f.DefValue != "" && f.DefValue != "false" && !strings.Contains(meaning, "default") {
			meaning += " (default " + f.DefValue + ")"
		}
		p.entry(strings.TrimSpace("-"+f.Name+" "+takes(f)), meaning)
	}
	if d.help != "" {
		p.add(".PP\n.nf\n%s\n.fi\n", escaped(strings.TrimRight(d.help, "\n")))
	}
}
