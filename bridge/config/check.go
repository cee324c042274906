package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"airplay2mqtt/internal/nearest"
)

// check looks for what can be decoded and cannot be meant.
func (r *reading) check() {
	r.checkMQTT()
	r.checkHomeAssistant()
	for i, name := range r.cfg.Discovery.Interfaces {
		if strings.TrimSpace(name) == "" || strings.ContainsAny(name, "/ ") {
			r.wrong(fmt.Sprintf("discovery.interfaces[%d]", i), "%q is no interface's name, such as eth0 or lo", name)
		}
	}
	r.checkDevices()
	r.checkGroups()
	r.checkSpeech()
	r.checkLimits()
	r.checkTTS()
	r.checkMedia()
	if r.cfg.Data == "" {
		r.wrong("data", "the folder where devices and credentials are kept is missing, such as ./data")
	}
	r.checkCredentials()
	r.checkWeb()
	r.oneOf("log.level", r.cfg.Log.Level)
	r.oneOf("log.format", r.cfg.Log.Format)
}

func (r *reading) checkCredentials() {
	c := &r.cfg.Credentials
	switch {
	case c.Key != "" && c.KeyFile != "":
		r.wrong("credentials.key_file", "key is given too; keep one of them")
	case c.Key != "" && len(c.Key) < 8:
		r.wrong("credentials.key", "is shorter than 8 characters: it would be guessed")
	}
	r.readable("credentials.key_file", c.KeyFile)
}

// choices are the words that keys with few of them take; those of devices may
// be empty, too.
var choices = map[string][]string{
	"homeassistant.media_player": {"bkbilly", "off"},
	"devices.protocol":           {"auto", "raop", "airplay"},
	"devices.timing":             {"auto", "ptp", "ntp"},
	"devices.line":               {"early", "plain"},
	"devices.video":              {"auto", "airplay1", "airplay2", "queue", "off"},
	"devices.buttons":            {"obey", "report"},
	"announcements.policy":       {"duck", "interrupt", "skip", "wait"},
	"quiet_hours.announcements":  {"allow", "refuse"},
	"log.level":                  {"debug", "info", "warn", "error"},
	"log.format":                 {"console", "json"},
}

var row = regexp.MustCompile(`\[\d+\]`)

// oneOf holds a key to its choices.
func (r *reading) oneOf(key, value string) {
	general := row.ReplaceAllString(key, "")
	allowed := choices[general]
	if value == "" && strings.HasPrefix(general, "devices.") || slices.Contains(allowed, value) {
		return
	}
	r.wrong(key, "%q is not one of %s%s", value, strings.Join(allowed, ", "), nearest.Hint(value, allowed))
}

var schemes = []string{"mqtt", "mqtts", "ws", "wss", "tcp", "ssl"}

func (r *reading) checkMQTT() {
	m := &r.cfg.MQTT
	if m.Server != "" {
		r.checkServer(m.Server)
	}
	if m.Password != "" && m.PasswordFile != "" {
		r.wrong("mqtt.password_file", "password is given too; keep one of them")
	}
	if m.Password != "" && m.Username == "" {
		r.wrong("mqtt.username", "a password without a user name is refused by every broker")
	}
	if (m.CertFile == "") != (m.KeyFile == "") {
		r.wrong("mqtt.cert_file", "cert_file and key_file belong together")
	}
	if m.Server == "" && (m.Username != "" || m.CAFile != "" || m.CertFile != "") {
		r.wrong("mqtt.server", "is missing: without it the embedded broker is started, which takes no user names and certificates")
	}
	r.readable("mqtt.password_file", m.PasswordFile)
	r.readable("mqtt.ca_file", m.CAFile)
	r.readable("mqtt.cert_file", m.CertFile)
	r.readable("mqtt.key_file", m.KeyFile)
	r.topic("mqtt.base_topic", m.BaseTopic)
}

func (r *reading) checkServer(server string) {
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Host == "":
		r.wrong("mqtt.server", "%q is no broker's address: write mqtt://host:1883", redact(server))
	case !slices.Contains(schemes, u.Scheme):
		r.wrong("mqtt.server", "%s:// is not spoken%s; write mqtt://, mqtts://, ws:// or wss://", u.Scheme, nearest.Hint(u.Scheme, schemes))
	case u.User != nil:
		r.wrong("mqtt.server", "put the user name and password into username and password, not into the address")
	case u.Hostname() == "":
		r.wrong("mqtt.server", "the host is missing: write mqtt://host:1883")
	}
}

// redact drops what may be a password from an address that is quoted.
func redact(address string) string {
	if at := strings.LastIndex(address, "@"); at >= 0 {
		return "…" + address[at:]
	}
	return address
}

func (r *reading) readable(key, path string) {
	if path == "" {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		r.wrong(key, "%v", err)
		return
	}
	f.Close()
}

func (r *reading) topic(key, topic string) {
	switch {
	case topic == "":
		r.wrong(key, "is empty; a topic such as airplay is wanted")
	case strings.ContainsAny(topic, "+#\x00"):
		r.wrong(key, "%q: + and # are wildcards and cannot stand in a topic", topic)
	case strings.HasPrefix(topic, "/") || strings.HasSuffix(topic, "/") || strings.Contains(topic, "//"):
		r.wrong(key, "%q: no slash at an end, and none doubled", topic)
	case strings.HasPrefix(topic, "$"):
		r.wrong(key, "%q: topics that begin with $ belong to the broker", topic)
	case len(topic) > 200:
		r.wrong(key, "is longer than 200 characters")
	}
}

func (r *reading) checkHomeAssistant() {
	h := &r.cfg.HomeAssistant
	r.oneOf("homeassistant.media_player", h.MediaPlayer)
	r.checkAccess(h)
	if h.DiscoveryPrefix == "off" {
		return
	}
	r.topic("homeassistant.discovery_prefix", h.DiscoveryPrefix)
	r.topic("homeassistant.status_topic", h.StatusTopic)
	if h.DiscoveryPrefix == r.cfg.MQTT.BaseTopic {
		r.wrong("homeassistant.discovery_prefix", "is the same as mqtt.base_topic; they must differ")
	}
}

var hardwareAddress = regexp.MustCompile(`^[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){5}$`)

func (r *reading) checkDevices() {
	seen := map[string]string{}
	for i := range r.cfg.Devices {
		key := fmt.Sprintf("devices[%d]", i)
		d := &r.cfg.Devices[i]
		r.checkDevice(key, d)
		for what, value := range map[string]string{"name": strings.ToLower(d.Name), "id": NormalID(d.ID)} {
			if value == "" {
				continue
			}
			if first, ok := seen[what+value]; ok {
				r.wrong(key+"."+what, "%q is also the %s of %s", value, what, first)
			}
			seen[what+value] = key
		}
	}
}

func (r *reading) checkDevice(key string, d *Device) {
	if d.Protocol == "" {
		d.Protocol = "auto"
	}
	r.oneOf(key+".protocol", d.Protocol)
	r.oneOf(key+".timing", d.Timing)
	r.oneOf(key+".line", d.Line)
	r.oneOf(key+".video", d.Video)
	r.oneOf(key+".buttons", d.Buttons)
	switch {
	case d.Name == "" && d.ID == "":
		r.wrong(key, "name is missing (or id, for a device that is discovered)")
	case d.Name == "" && d.Host != "":
		r.wrong(key+".name", "is missing: a device with a host needs one")
	case len(d.Name) > 63:
		r.wrong(key+".name", "is longer than 63 bytes")
	}
	if d.ID != "" && !hardwareAddress.MatchString(d.ID) {
		r.wrong(key+".id", "%q is no hardware address such as 00:11:32:4A:5B:6C; `bridge discover` shows them", d.ID)
	}
	r.checkAddress(key, d)
	if d.Password != "" && d.PasswordFile != "" {
		r.wrong(key+".password_file", "password is given too; keep one of them")
	}
	r.readable(key+".password_file", d.PasswordFile)
}

func (r *reading) checkGroups() {
	seen := map[string]string{}
	for i, g := range r.cfg.Groups {
		key := fmt.Sprintf("groups[%d]", i)
		name := strings.ToLower(g.Name)
		switch first, twice := seen[name]; {
		case strings.TrimSpace(g.Name) == "":
			r.wrong(key+".name", "is missing")
		case len(g.Name) > 63:
			r.wrong(key+".name", "is longer than 63 bytes")
		case twice:
			r.wrong(key+".name", "%q is also the name of %s", g.Name, first)
		case name == "all" || name == "bridge":
			r.wrong(key+".name", "%q is a word of the topics; a group needs another name", g.Name)
		case slices.ContainsFunc(r.cfg.Devices, func(d Device) bool { return strings.EqualFold(d.Name, g.Name) }):
			r.wrong(key+".name", "%q is also the name of a device", g.Name)
		}
		seen[name] = key
		if len(g.Members) == 0 {
			r.wrong(key+".members", "is missing: the names of the devices that play together")
		}
		for j, m := range g.Members {
			row := fmt.Sprintf("%s.members[%d]", key, j)
			switch {
			case strings.TrimSpace(m) == "":
				r.wrong(row, "is empty")
			case strings.ToLower(m) == name:
				r.wrong(row, "a group cannot be a member of itself")
			case slices.ContainsFunc(r.cfg.Groups, func(other Group) bool { return strings.EqualFold(other.Name, m) }):
				r.wrong(row, "%q is a group; the members of a group are devices", m)
			case slices.Index(g.Members, m) < j:
				r.wrong(row, "%q is a member already", m)
			}
		}
	}
}

// checkSpeech is for what interrupts: announcements, and when they may.
func (r *reading) checkSpeech() {
	a, q := &r.cfg.Announcements, &r.cfg.QuietHours
	r.oneOf("announcements.policy", a.Policy)
	if a.PerHour < 1 || a.PerHour > 100000 {
		r.wrong("announcements.per_hour", "%d is not from 1 to 100000", a.PerHour)
	}
	if q.From.Set != q.To.Set {
		r.wrong("quiet_hours", "from and to belong together")
	}
	if !q.From.Set && q.MaxVolume != 0 {
		r.wrong("quiet_hours.from", "is missing: when are the quiet hours?")
	}
	r.oneOf("quiet_hours.announcements", q.Announcements)
}

func (r *reading) checkLimits() {
	l := &r.cfg.Limits
	for key, n := range map[string]int{"limits.per_device": l.PerDevice, "limits.overall": l.Overall} {
		if n < 1 || n > 10000 {
			r.wrong(key, "%d is not from 1 to 10000 commands a second", n)
		}
	}
	if l.Overall < l.PerDevice {
		r.wrong("limits.overall", "%d is less than per_device, %d, which then is never reached", l.Overall, l.PerDevice)
	}
	for i, name := range l.Commands {
		if strings.TrimSpace(name) == "" {
			r.wrong(fmt.Sprintf("limits.commands[%d]", i), "is empty")
		}
	}
}

func (r *reading) checkAddress(key string, d *Device) {
	switch {
	case d.Host == "" && d.Port != 0:
		r.wrong(key+".host", "is missing, and port is given")
	case d.Host == "":
	case strings.ContainsAny(d.Host, "/ @") || strings.Contains(d.Host, "://"):
		r.wrong(key+".host", "%q is no host name or address", d.Host)
	case numeric(d.Host) && !isAddress(d.Host):
		r.wrong(key+".host", "%q is no address: it has four numbers from 0 to 255, such as 192.168.1.20", d.Host)
	case d.Port == 0:
		r.wrong(key+".port", "is missing: 5000 is usual for AirPlay 1, 7000 for newer devices; `bridge discover` shows it")
	}
	if d.Port < 0 || d.Port > 65535 {
		r.wrong(key+".port", "%d is no port; 1 to 65535", d.Port)
	}
}

func (r *reading) checkMedia() {
	m := &r.cfg.Media
	for i, folder := range m.Folders {
		if strings.TrimSpace(folder) == "" {
			r.wrong(fmt.Sprintf("media.folders[%d]", i), "is empty")
		}
	}
	r.readable("media.ca_file", m.CAFile)
	for _, list := range []struct {
		key  string
		rows []string
	}{{"media.allow", m.Allow}, {"media.deny", m.Deny}} {
		for i, row := range list.rows {
			if err := CheckHost(row); err != nil {
				r.wrong(fmt.Sprintf("%s[%d]", list.key, i), "%v", err)
			}
		}
	}
}

var hostName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

func isAddress(s string) bool { _, err := netip.ParseAddr(s); return err == nil }

// CheckHost tells whether a row of media.allow or media.deny is a host name
// (*.example.org for all below it), an address or a network.
func CheckHost(row string) error {
	if isAddress(row) {
		return nil
	}
	if _, err := netip.ParsePrefix(row); err == nil {
		return nil
	}
	switch {
	case numeric(row):
		return fmt.Errorf("%q is no address: it has four numbers from 0 to 255, such as 192.168.1.5", row)
	case !strings.Contains(row, "/") && hostName.MatchString(row):
		return nil
	}
	return fmt.Errorf("%q is no host name, address or network such as nas.local, 192.168.1.5 or 10.0.0.0/8", row)
}

// numeric tells whether a row can only be meant as an IPv4 address: no host's
// name ends in a number (RFC 3696).
func numeric(row string) bool {
	row = strings.TrimSuffix(row, ".")
	last := row[strings.LastIndex(row, ".")+1:]
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// NormalID writes a hardware address as devices are known by: twelve hex
// digits in upper case.
func NormalID(id string) string {
	return strings.ToUpper(strings.NewReplacer(":", "", "-", "").Replace(id))
}
