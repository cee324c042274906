package hass

// PlainKeys are the topics <device>/state/<key> that the media player reads, and
// what they hold as plain text. An unknown value is an empty message.
//
//	state               idle, buffering, playing, paused
//	media_title         text
//	media_artist        text
//	media_album_name    text
//	media_content_type  music
//	media_duration      whole seconds, such as 4: the integration reads no fractions
//	media_position      whole seconds
//	volume_level        0.0 to 1.0
//	mute                mute or unmute
//	artwork_base64      the JPEG of <device>/artwork in base64
var PlainKeys = []string{
	"state", "media_title", "media_artist", "media_album_name", "media_content_type",
	"media_duration", "media_position", "volume_level", "mute", "artwork_base64",
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
	state := func(key string) string { return d.topic("state/" + key) }
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

		State:    state("state"),
		Title:    state("media_title"),
		Artist:   state("media_artist"),
		Album:    state("media_album_name"),
		Duration: state("media_duration"),
		Position: state("media_position"),
		Volume:   state("volume_level"),
		Mute:     state("mute"),
		Artwork:  state("artwork_base64"),
		Type:     state("media_content_type"),

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
