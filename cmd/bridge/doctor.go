package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/nearest"
	"airplay2mqtt/raop"
)

const doctorHelp = `It goes the whole way to the speaker, step by step: is it announced, does its
name lead to an address and the address to a network, does it answer, does it
want a password, is it free, does its UDP reach this machine and ours the
speaker. Where the way ends it says why and what to do. Nothing is heard. Some
speakers are taken from whoever plays on them; do not run it while somebody
listens. Exit status 0: the speaker is well; 1: it is not, and the cause is said.

  bridge doctor -to Kitchen
  bridge doctor -to 192.168.1.20:5000 -password secret
  bridge doctor -to Kitchen -json | jq -r .cause

With -json it writes one object; a status is ok, warning, failed or skipped, and
cause and advice are empty for a speaker that is well:

  {
    "speaker": "Kitchen",
    "address": "192.168.1.20:5000",
    "well": false,
    "cause": "the speaker asks for a password, and none was given",
    "advice": "say -password, or set password for this device in the configuration",
    "checks": [
      {"name": "discovery", "status": "ok", "detail": "announced, found after 0.3 s"},
      {"name": "password", "status": "failed", "detail": "announce: 401 Unauthorized"}
    ]
  }
`

// The statuses of checks.
const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusFailed  = "failed"
	statusSkipped = "skipped"
)

// A check is one step of the way to the speaker.
type check struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
}

// A diagnosis is what `bridge doctor` found out.
type diagnosis struct {
	Speaker string  `json:"speaker"`
	Address string  `json:"address"`
	Well    bool    `json:"well"`
	Cause   string  `json:"cause"`
	Advice  string  `json:"advice"`
	Checks  []check `json:"checks"`
}

// errNotWell is the end of a diagnosis that found a cause.
var errNotWell = errors.New("the speaker is not well")

// A doctor is one `bridge doctor`.
type doctor struct {
	playing
	diagnosis
	speaker speaker
	addr    netip.AddrPort
	session *raop.Session
	tap     *tap
}

func (w world) doctor(ctx context.Context, args []string) error {
	d := doctor{playing: playing{world: w, volume: -1, clock: ptp.New(ptp.Config{})}}
	defer d.clock.Close()
	f := w.flags("doctor")
	path := f.String("config", "", configHelp)
	f.Var(&d.to, "to", "the speaker's `name` or host:port")
	f.StringVar(&d.password, "password", "", "the speaker's password (default: that of the configuration)")
	asJSON := f.Bool("json", false, "write a JSON object")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	var err error
	if d.cfg, err = w.load(*path); err != nil {
		return err
	}
	d.vault = w.unlock("doctor", d.cfg)
	if len(d.to) != 1 {
		fmt.Fprintln(w.stderr, "bridge doctor: which speaker? say -to NAME or -to HOST:PORT, once")
		return errUsage
	}
	d.examine(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if *asJSON {
		e := json.NewEncoder(w.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(d.diagnosis)
	} else {
		err = d.show()
	}
	if err == nil && !d.Well {
		err = fmt.Errorf("%w: %s", errNotWell, d.Cause)
	}
	return err
}

// diagnose is the doctor for who runs the bridge already: with its
// configuration and its clock.
func (w world) diagnose(ctx context.Context, cfg config.Config, speaker string, clock *ptp.Engine) diagnosis {
	d := doctor{playing: playing{world: w, cfg: cfg, vault: w.unlock("doctor", cfg), to: list{speaker}, volume: -1, clock: clock}}
	d.examine(ctx)
	return d.diagnosis
}

// examine goes the way until its end.
func (d *doctor) examine(ctx context.Context) {
	d.Speaker = d.to[0]
	defer func() {
		if d.session != nil {
			d.session.Close()
		}
	}()
	if !d.discovery(ctx) || ctx.Err() != nil {
		return
	}
	if d.speaker.second != "" {
		d.bySecond(ctx)
		return
	}
	for _, step := range []func(context.Context) bool{
		d.protocol, d.pairing, d.address, d.route, d.port, d.answers, d.agrees, d.asksTime, d.hearsSound,
	} {
		if !step(ctx) || ctx.Err() != nil {
			return
		}
	}
	d.Well = true
}

// note takes down a step that went well, or need not be gone.
func (d *doctor) note(name, status, format string, args ...any) bool {
	d.Checks = append(d.Checks, check{name, status, oneLine(fmt.Sprintf(format, args...))})
	return status != statusFailed
}

// fails takes down the step at which the way ends: what happened, what that
// means, and what to do.
func (d *doctor) fails(name, detail, cause, advice string) bool {
	d.Cause, d.Advice = oneLine(cause), oneLine(advice)
	return d.note(name, statusFailed, "%s", detail)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// looking is how long a speaker is looked for.
const looking = 5 * time.Second

// discovery finds the speaker by its name.
func (d *doctor) discovery(ctx context.Context) bool {
	var ok bool
	if d.speaker, ok = d.known(d.to[0]); ok {
		return d.finish(d.note("discovery", statusSkipped, "the address is known without it"))
	}
	if !d.cfg.Discovery.MDNS {
		return d.fails("discovery", "discovery.mdns is off",
			fmt.Sprintf("%q is not in the configuration, and discovery is switched off", d.to[0]),
			"set discovery.mdns to true, or give the device a host and port")
	}
	began := time.Now()
	found, err := d.find(ctx, d.cfg, looking, d.allFound())
	if err != nil {
		return d.fails("discovery", err.Error(), "the network cannot be listened to: "+err.Error(), "see discovery.interfaces in the configuration")
	}
	if d.speaker, ok = d.discovered(d.to[0], found); ok {
		return d.finish(d.note("discovery", statusOK, "announced, found after %.1f s", time.Since(began).Seconds()))
	}
	return d.notFound(found)
}

// finish puts the password of the command line over that of the configuration.
func (d *doctor) finish(ok bool) bool {
	if d.password != "" {
		d.speaker.password = d.password
	}
	d.speaker.address = d.speaker.where()
	d.Address = d.speaker.address
	return ok
}

// notFound tells why discovery did not find the speaker.
func (d *doctor) notFound(found map[string]discovery.Device) bool {
	var names []string
	for _, v := range found {
		names = append(names, v.Name)
		switch same := strings.EqualFold(v.Name, d.to[0]) || strings.EqualFold(v.ID, d.to[0]); {
		case same && v.RAOP == nil:
			_, why := airplay.ParseInfo(v.AirPlay.TXT).Pairing()
			return d.fails("discovery", "announced as _airplay._tcp only",
				fmt.Sprintf("%s cannot be played to: %s", v.Name, why), "choose another speaker, or allow everybody in its AirPlay settings")
		case same:
			return d.fails("discovery", "announced without an address",
				fmt.Sprintf("%s announces itself without an address", v.Name), "switch it off and on")
		}
	}
	if len(names) == 0 {
		return d.fails("discovery", fmt.Sprintf("nothing was heard in %v", looking),
			"no AirPlay speaker at all was heard: multicast DNS does not reach this machine, or all speakers are off",
			"see that speakers and this machine are in the same network, that UDP port 5353 is let through, and in a container use the host's network; or give the speaker by HOST:PORT")
	}
	return d.fails("discovery", fmt.Sprintf("%d others were heard: %s", len(names), strings.Join(names, ", ")),
		fmt.Sprintf("%q is not among the speakers that announce themselves%s", d.to[0], nearest.Hint(d.to[0], names)),
		"see whether it is switched on and in this network; `bridge discover` lists what is")
}

// protocol tells whether it is a speaker that can be played to.
func (d *doctor) protocol(context.Context) bool {
	switch why := d.speaker.info.Unplayable(); {
	case d.speaker.info == (raop.Info{}):
		return d.note("protocol", statusSkipped, "what it announces is not known")
	case why != "":
		return d.fails("protocol", why, "AirPlay 1 does not work with this speaker: "+why, "choose another speaker")
	}
	return d.note("protocol", statusOK, "AirPlay 1, %s", d.speaker.info.Model)
}

// pairing tells how the speaker is shown who we are.
func (d *doctor) pairing(context.Context) bool {
	l := bridge.List(d.speaker.found, d.speaker.override, d.vault)
	if d.speaker.found.RAOP == nil && d.speaker.found.AirPlay == nil {
		return d.note("pairing", statusSkipped, "what it announces is not known")
	}
	switch l.Pairing {
	case "required":
		return d.fails("pairing", l.ProofReason, "the speaker wants to be paired: "+l.ProofReason,
			"pair with it: `bridge pair -to "+d.Speaker+"`")
	case "failed":
		return d.fails("pairing", l.ProofReason, "the pairing is not good any more: "+l.ProofReason,
			"if that is right, pair again: `bridge pair -to "+d.Speaker+"`")
	}
	return d.note("pairing", statusOK, "%s: %s", l.Proof, l.ProofReason)
}

// address resolves the name of a host.
func (d *doctor) address(ctx context.Context) bool {
	host, service, err := net.SplitHostPort(d.speaker.address)
	if err != nil {
		return d.fails("address", err.Error(), d.speaker.address+" is no address", "say HOST:PORT")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil || port == 0 {
		return d.fails("address", fmt.Sprintf("port %q", service), fmt.Sprintf("%q is no port", service), "say HOST:PORT; many speakers use 5000 or 7000")
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return d.fails("address", fmt.Sprint(err), fmt.Sprintf("the name %s leads to no address", host),
			"see whether the name is right, or give the speaker's IP address")
	}
	d.addr = netip.AddrPortFrom(addrs[0].Unmap(), uint16(port))
	return d.note("address", statusOK, "%s", d.addr)
}

// route tells from where this machine would reach the speaker.
func (d *doctor) route(ctx context.Context) bool {
	c, err := new(net.Dialer).DialContext(ctx, "udp", d.addr.String())
	if err != nil {
		return d.fails("route", err.Error(), fmt.Sprintf("this machine has no route to %s", d.addr.Addr()),
			"see whether this machine is connected to the speaker's network")
	}
	defer c.Close()
	near, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return d.note("route", statusOK, "from %s", c.LocalAddr())
	}
	return d.note("route", statusOK, "from %s, %s", near.Addr(), neighbourhood(near.Addr(), d.addr.Addr()))
}

// neighbourhood tells whether the speaker is in a network of this machine.
func neighbourhood(near, far netip.Addr) string {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return "a network that is not known"
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == near.WithZone("") && p.Contains(far.WithZone("")) {
			return "the same network"
		}
	}
	return "another network, by a router: it must let UDP through both ways"
}

// show writes the diagnosis for people.
func (d *doctor) show() error {
	t := tabwriter.NewWriter(d.stdout, 0, 0, 2, ' ', 0)
	for _, c := range d.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, c.Status, c.Detail)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if d.Well {
		_, err := fmt.Fprintf(d.stdout, "\n%s is well.\n", d.Speaker)
		return err
	}
	_, err := fmt.Fprintf(d.stdout, "\nCause: %s.\nTo do: %s.\n", d.Cause, d.Advice)
	return err
}
