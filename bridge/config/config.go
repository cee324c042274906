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
	Groups        []Group       `yaml:"groups"`
	Announcements Announcements `yaml:"announcements"`
	TTS           TTS           `yaml:"tts"`
	QuietHours    QuietHours    `yaml:"quiet_hours"`
	Limits        Limits        `yaml:"limits"`
	Media         Media         `yaml:"media"`
	Data          string        `yaml:"data"`
	Credentials   Credentials   `yaml:"credentials"`
	Web           Web           `yaml:"web"`
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
	URL             string `yaml:"url"`          // of Home Assistant itself, to speak and for its media; off: it is never asked
	Token           string `yaml:"token"`        // a long-lived access token
	TokenFile       string `yaml:"token_file"`   // the first line of this file, instead of token
}

// Asked tells whether Home Assistant itself can be asked for anything.
func (h HomeAssistant) Asked() bool { return h.URL != "" && h.URL != "off" }

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
	Protocol     string  `yaml:"protocol"`   // auto, raop or airplay
	Timing       string  `yaml:"timing"`     // how time is kept by AirPlay 2: auto (or empty), ptp, ntp
	Latency      Latency `yaml:"latency"`    // zero: normal
	Line         string  `yaml:"line"`       // early (or empty): sound is sent ahead of the announced latency; plain: as announced
	MaxVolume    Percent `yaml:"max_volume"` // nothing louder than this is ever sent; zero: 100
	Offset       Offset  `yaml:"offset"`     // how much later (or, below zero, earlier) than the others of a group it plays
	KeepWarm     Warmth  `yaml:"keep_warm"`  // how long a session is kept after a sound; zero: 10 s
	Video        string  `yaml:"video"`      // how films are shown: auto (or empty); airplay1, airplay2 or queue, also where it does not say that it can; or off
	Buttons      string  `yaml:"buttons"`    // what its own buttons do: obey (or empty), or report
}

// A Group is speakers that play together, in step, and have topics of their
// own.
type Group struct {
	Name    string   `yaml:"name"`
	Members []string `yaml:"members"` // slugs, names or ids of devices
}

// Announcements says what chimes and announcements do where a command does not
// say it.
type Announcements struct {
	Policy   string   `yaml:"policy"`   // duck, interrupt, skip, wait
	Bed      Decibels `yaml:"bed"`      // how much softer the music is meanwhile
	Loudness Loudness `yaml:"loudness"` // what all of them are brought to, in LUFS; off: as they are
	Cooldown Length   `yaml:"cooldown"` // the same one is not heard again within this time
	PerHour  int      `yaml:"per_hour"` // so many for each device are heard at most
}

// TTS says how text is spoken: by Home Assistant if that is asked, and by a
// command where it is not, or does not answer.
type TTS struct {
	Engine   string   `yaml:"engine"`    // of Home Assistant, such as tts.piper; empty: the first that it has
	Command  []string `yaml:"command"`   // a program and its arguments, which reads text and writes WAV
	Language string   `yaml:"language"`  // where a message does not say it; empty: the voice's own
	Voice    string   `yaml:"voice"`     // the same
	MaxText  int      `yaml:"max_text"`  // characters of one message
	MaxSound Size     `yaml:"max_sound"` // bytes that a voice may give for one message
	Timeout  Length   `yaml:"timeout"`   // how long one voice may take
	Keep     Length   `yaml:"keep"`      // how long what was spoken is kept in memory
}

// QuietHours is when it is to be quiet, each day, by the clock of this machine.
type QuietHours struct {
	From          Clock   `yaml:"from"` // empty: never
	To            Clock   `yaml:"to"`
	MaxVolume     Percent `yaml:"max_volume"`    // nothing louder is sent meanwhile; zero: as always
	Announcements string  `yaml:"announcements"` // allow, or refuse those that do not say critical
}

// Limits says which commands are obeyed, and how many: whoever reaches the
// broker can give them.
type Limits struct {
	PerDevice int      `yaml:"per_device"` // so many a second for each device; more are refused, after twice as many at once
	Overall   int      `yaml:"overall"`    // so many a second for all together, likewise
	ReadOnly  bool     `yaml:"read_only"`  // no command is obeyed; states are told all the same
	Commands  []string `yaml:"commands"`   // only these are obeyed, requests to the bridge among them; empty: all
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

// Credentials says how what pairings leave is kept in the data folder.
type Credentials struct {
	Key     string `yaml:"key"`      // encrypts them; empty: they are kept in plain text, for their owner only
	KeyFile string `yaml:"key_file"` // the first line of this file, instead of key
}

// Web says where the web page is, and who may use it.
type Web struct {
	Listen    string `yaml:"listen"`     // address and port, such as 127.0.0.1:8330; empty: there is none
	Token     string `yaml:"token"`      // who says it may use the page; needed where others than this machine can connect
	TokenFile string `yaml:"token_file"` // the first line of this file, instead of token
	Ingress   bool   `yaml:"ingress"`    // it is an app of Home Assistant, which has asked who it is: nobody else is served
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
		Groups:    []Group{},
		Announcements: Announcements{
			Policy:   "duck",
			Bed:      -18,
			Loudness: -16,
			PerHour:  120,
		},
		TTS: TTS{
			Command:  []string{},
			MaxText:  1000,
			MaxSound: 16 << 20,
			Timeout:  Length(12 * time.Second),
			Keep:     Length(10 * time.Minute),
		},
		QuietHours: QuietHours{Announcements: "allow"},
		Limits:     Limits{PerDevice: 20, Overall: 100, Commands: []string{}},
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
