// Package config is what the user decides: the configuration of the bridge,
// read from a YAML file and the environment, every mistake told at once and
// with its line.
//
//	cfg, err := config.Load("config.yaml", os.Environ())
//	var mistakes config.Mistakes
//	if errors.As(err, &mistakes) {
//		for _, m := range mistakes { fmt.Println(m) }
//	}
package config

import "time"

// Config is everything that can be decided. Default gives what holds where
// nothing is said; no configuration at all is a valid configuration.
type Config struct {
	MQTT          MQTT          `yaml:"mqtt"`
	HomeAssistant HomeAssistant `yaml:"homeassistant"`
	Discovery     Discovery     `yaml:"discovery"`
	Devices       []Device      `yaml:"devices"`
	Media         Media         `yaml:"media"`
	Data          string        `yaml:"data"`
	Log           Log           `yaml:"log"`
}

// MQTT says which broker to talk to, and as whom.
type MQTT struct {
	Server       string `yaml:"server"` // mqtt:// mqtts:// ws:// wss://; empty: the embedded broker
	Username     string `yaml:"username"`
	Password     string `yaml:"password"`
	PasswordFile string `yaml:"password_file"` // the first line of this file, instead of password
	CAFile       string `yaml:"ca_file"`       // PEM; for a broker with a private certificate
	CertFile     string `yaml:"cert_file"`     // PEM; the bridge's own certificate
	KeyFile      string `yaml:"key_file"`
	ClientID     string `yaml:"client_id"` // empty: airplay2mqtt- and something random
	BaseTopic    string `yaml:"base_topic"`
}

// HomeAssistant says how to appear in Home Assistant.
type HomeAssistant struct {
	DiscoveryPrefix string `yaml:"discovery_prefix"` // off: no discovery
	StatusTopic     string `yaml:"status_topic"`
	MediaPlayer     string `yaml:"media_player"` // bkbilly or off
}

// Discovery says how devices are found.
type Discovery struct {
	MDNS       bool     `yaml:"mdns"`
	Interfaces []string `yaml:"interfaces"` // empty: all that can multicast; lo only where named
}

// A Device is one that needs no discovery (Host), or what overrides one that
// is discovered (by ID or Name).
type Device struct {
	ID           string  `yaml:"id"`
	Name         string  `yaml:"name"`
	Host         string  `yaml:"host"`
	Port         int     `yaml:"port"`
	Password     string  `yaml:"password"`
	PasswordFile string  `yaml:"password_file"`
	Protocol     string  `yaml:"protocol"`   // auto or raop
	Latency      Latency `yaml:"latency"`    // zero: normal
	MaxVolume    Percent `yaml:"max_volume"` // nothing louder than this is ever sent; zero: 100
}

// Media says what may be played.
type Media struct {
	Folders     []string `yaml:"folders"`      // play_file reads below these and nowhere else
	Chimes      string   `yaml:"chimes"`       // folder of named chimes
	MaxDownload Size     `yaml:"max_download"` // of one URL
	MaxPayload  Size     `yaml:"max_payload"`  // of one play_data message
	CAFile      string   `yaml:"ca_file"`      // PEM; authorities that https addresses may be certified by besides the usual ones
	Allow       []string `yaml:"allow"`        // hosts, addresses, networks that URLs may lead to although they are private to this machine; not empty: a name or address listed here is always allowed
	Deny        []string `yaml:"deny"`         // hosts, addresses, networks that URLs may never lead to
}

// Log says what is written to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // console or json
}

// The latencies that have names: from a command to its first sound, on a
// session that is open.
const (
	Chime  = Latency(250 * time.Millisecond)
	Normal = Latency(time.Second)
	Robust = Latency(2 * time.Second)
)

// Default is the configuration of a user who said nothing.
func Default() Config {
	return Config{
		MQTT: MQTT{BaseTopic: "airplay"},
		HomeAssistant: HomeAssistant{
			DiscoveryPrefix: "homeassistant",
			StatusTopic:     "homeassistant/status",
			MediaPlayer:     "bkbilly",
		},
		Discovery: Discovery{MDNS: true, Interfaces: []string{}},
		Devices:   []Device{},
		Media: Media{
			Folders:     []string{"./media"},
			Chimes:      "./chimes",
			MaxDownload: 512 << 20,
			MaxPayload:  8 << 20,
			Allow:       []string{},
			Deny:        []string{},
		},
		Data: "./data",
		Log:  Log{Level: "info", Format: "console"},
	}
}
