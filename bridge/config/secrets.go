package config

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// Secret is the broker's password, from wherever it was given.
func (m MQTT) Secret() (string, error) { return secret(m.Password, m.PasswordFile) }

// Secret is the token for Home Assistant, from wherever it was given.
func (h HomeAssistant) Secret() (string, error) {
	token, err := secret(h.Token, h.TokenFile)
	if err != nil {
		return "", fmt.Errorf("homeassistant: %w", err)
	}
	return token, nil
}

// Secret is the device's password, from wherever it was given.
func (d Device) Secret() (string, error) { return secret(d.Password, d.PasswordFile) }

// Secret is the key that encrypts credentials, from wherever it was given.
func (c Credentials) Secret() (string, error) {
	key, err := secret(c.Key, c.KeyFile)
	if err != nil {
		return "", fmt.Errorf("credentials: %w", err)
	}
	return key, nil
}

// Secret is the token of the page, from wherever it was given.
func (w Web) Secret() (string, error) {
	token, err := secret(w.Token, w.TokenFile)
	if err != nil {
		return "", fmt.Errorf("web: %w", err)
	}
	return token, nil
}

func secret(given, file string) (string, error) {
	if file == "" {
		return given, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimRight(line, "\r"), nil
}

// Secrets are all that nobody may be shown, wherever they were given.
func (c Config) Secrets() []string {
	type keeper interface{ Secret() (string, error) }
	keepers := []keeper{c.MQTT, c.HomeAssistant, c.Credentials, c.Web}
	for _, d := range c.Devices {
		keepers = append(keepers, d)
	}
	var list []string
	for _, k := range keepers {
		if s, err := k.Secret(); err == nil && s != "" {
			list = append(list, s)
		}
	}
	return list
}

// Redacted is the configuration as it may be shown to anybody: what is secret
// reads "***" where it is set.
func (c Config) Redacted() Config {
	hide := func(s *string) {
		if *s != "" {
			*s = "***"
		}
	}
	hide(&c.MQTT.Password)
	hide(&c.MQTT.Username)
	hide(&c.Credentials.Key)
	hide(&c.HomeAssistant.Token)
	hide(&c.Web.Token)
	c.Devices = append([]Device{}, c.Devices...)
	for i := range c.Devices {
		hide(&c.Devices[i].Password)
	}
	return c
}

// Map is the configuration under the keys that it has in the file.
func (c Config) Map() map[string]any {
	text, err := yaml.Marshal(c)
	m := map[string]any{}
	if err != nil || yaml.Unmarshal(text, &m) != nil {
		panic("config: a configuration cannot be written") // a mistake of ours
	}
	return m
}
