package config

import (
	"net/url"
	"strings"
	"time"
)

// Supervisor is where the supervisor of Home Assistant hands on what its apps
// ask Home Assistant itself.
const Supervisor = "http://supervisor/core"

// supervise asks Home Assistant by way of its supervisor, if that has given us a
// token and the configuration says nothing else.
func (r *reading) supervise(environ []string) {
	h := &r.cfg.HomeAssistant
	if h.URL != "" || h.Token != "" || h.TokenFile != "" {
		return
	}
	for _, kv := range environ {
		if token, ok := strings.CutPrefix(kv, "SUPERVISOR_TOKEN="); ok && token != "" {
			h.URL, h.Token = Supervisor, token
		}
	}
}

// checkAccess is for how Home Assistant itself is asked.
func (r *reading) checkAccess(h *HomeAssistant) {
	r.readable("homeassistant.token_file", h.TokenFile)
	if h.Token != "" && h.TokenFile != "" {
		r.wrong("homeassistant.token_file", "token is given too; keep one of them")
	}
	given := h.Token != "" || h.TokenFile != ""
	switch {
	case h.URL == "off":
	case h.URL == "" && given:
		r.wrong("homeassistant.url", "is missing, and a token is given: http://homeassistant.local:8123")
	case h.URL == "":
	case !given:
		r.wrong("homeassistant.token", "is missing: a long-lived access token, from your profile in Home Assistant (Security)")
	}
	if h.URL == "" || h.URL == "off" {
		return
	}
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		r.wrong("homeassistant.url", "%q is no address such as http://homeassistant.local:8123, or off", redact(h.URL))
	case u.User != nil:
		r.wrong("homeassistant.url", "users and passwords are not for this; a token is")
	case u.RawQuery != "" || u.Fragment != "":
		r.wrong("homeassistant.url", "nothing stands behind the host and the path")
	}
}

// checkTTS is for what makes sound of text.
func (r *reading) checkTTS() {
	t := &r.cfg.TTS
	if len(t.Command) > 0 && strings.TrimSpace(t.Command[0]) == "" {
		r.wrong("tts.command[0]", "is empty; the first row is the program, such as espeak-ng")
	}
	if len(t.Command) == 1 && strings.ContainsAny(t.Command[0], " ") {
		r.wrong("tts.command[0]", "%q is one word to the system, for there is no shell; write [espeak-ng, --stdin, --stdout]", t.Command[0])
	}
	if t.Engine != "" && !r.cfg.HomeAssistant.Asked() {
		r.wrong("tts.engine", "is of Home Assistant, and homeassistant.url does not say where that is")
	}
	if t.MaxText < 1 || t.MaxText > 10000 {
		r.wrong("tts.max_text", "%d is not from 1 to 10000", t.MaxText)
	}
	if t.MaxSound > 256<<20 {
		r.wrong("tts.max_sound", "%v is more than 256MiB", t.MaxSound)
	}
	if d := time.Duration(t.Timeout); d < time.Second || d > 25*time.Second {
		r.wrong("tts.timeout", "%v is not from 1s to 25s; announcements wait for half a minute", d)
	}
}
