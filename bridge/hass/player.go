package hass

// PlayerTopics are the topics below <base>/<slug>/ that the media player reads,
// as plain text. An unknown value is an empty message.
//
//	state/state                   idle, buffering, playing, paused
//	state/media_title             text
//	state/media_artist            text
//	state/media_album_name        text
//	state/media_content_type      music
//	state/media_duration_seconds  a whole number: the integration reads no fractions
//	state/media_position_seconds  a whole number
//	state/volume_level            0.0 to 1.0
//	state/mute                    mute or unmute
//	artwork_base64                the JPEG of artwork in base64
var PlayerTopics = []string{
	"state/state", "state/media_title", "state/media_artist", "state/media_album_name", "state/media_content_type",
	"state/media_duration_seconds", "state/media_position_seconds", "state/volume_level", "state/mute", "artwork_base64",
}

// mediaPlayer is what the integration mqtt_media_player reads. It ignores other
// keys, so ours may stand there, too: origin, by which we know our own.
type mediaPlayer struct {
	Name         string       `json:"name"`
	Device       device       `json:"device"`
	Origin       origin       `json:"origin"`
	Availability onlineStatus `json:"availability"`

	State    string `json:"state_state_topic"`
	Title    string `json:"state_title_topic"`
	Artist   string `json:"state_artist_topic"`
	Album    string `json:"state_album_topic"`
	Duration string `json:"state_duration_topic"`
	Position string `json:"state_position_topic"`
	Volume   string `json:"state_volume_topic"`
	Mute     string `json:"state_mute_topic"`
	Artwork  string `json:"state_albumart_topic"`
	Type     string `json:"state_mediatype_topic"`

	SetVolume       string `json:"command_volume_topic"`
	SetMute         string `json:"command_mute_topic"`
	Play            string `json:"command_play_topic"`
	PlayPayload     string `json:"command_play_payload"`
	Pause           string `json:"command_pause_topic"`
	PausePayload    string `json:"command_pause_payload"`
	Toggle          string `json:"command_playpause_topic"`
	TogglePayload   string `json:"command_playpause_payload"`
	Next            string `json:"command_next_topic,omitempty"`
	NextPayload     string `json:"command_next_payload,omitempty"`
	Previous        string `json:"command_previous_topic,omitempty"`
	PreviousPayload string `json:"command_previous_payload,omitempty"`
	PlayMedia       string `json:"command_playmedia_topic"`
}

// onlineStatus is one mapping here, not a list.
type onlineStatus struct {
	Topic   string `json:"topic"`
	Online  string `json:"payload_available"`
	Offline string `json:"payload_not_available"`
}

func (d Device) player() []byte {
	p := mediaPlayer{
		Name: fallback(d.Name, d.Slug),
		// The same identifier as in the device payload puts the media player on
		// that device's page.
		Device: device{
			Identifiers:  []string{d.identifier()},
			Name:         fallback(d.Name, d.Slug),
			Manufacturer: d.Manufacturer,
			Model:        d.Model,
			Firmware:     d.Firmware,
		},
		Origin:       ours(d.Version),
		Availability: onlineStatus{d.topic("availability"), "online", "offline"},

		State:    d.topic("state/state"),
		Title:    d.topic("state/media_title"),
		Artist:   d.topic("state/media_artist"),
		Album:    d.topic("state/media_album_name"),
		Duration: d.topic("state/media_duration_seconds"),
		Position: d.topic("state/media_position_seconds"),
		Volume:   d.topic("state/volume_level"),
		Mute:     d.topic("state/mute"),
		Artwork:  d.topic("artwork_base64"),
		Type:     d.topic("state/media_content_type"),

		SetVolume: d.topic("set_volume_level"),
		SetMute:   d.topic("mute"),
		Play:      d.topic("play"), PlayPayload: "play",
		Pause: d.topic("pause"), PausePayload: "pause",
		Toggle: d.topic("play_pause"), TogglePayload: "play_pause",
		PlayMedia: d.topic("play_media"),
	}
	if d.Queue {
		p.Next, p.NextPayload = d.topic("next"), "next"
		p.Previous, p.PreviousPayload = d.topic("previous"), "previous"
	}
	return encode(p)
}
