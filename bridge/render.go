package bridge

import (
	"cmp"
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/bridge/player"
)

// document is a device's state as it is published, one consistent picture. Its
// keys are Home Assistant's media_player attributes where those have a name
// for it. Every key is always there, null where nothing is known.
type document struct {
	State        string   `json:"state"`
	Activity     string   `json:"activity"`
	Volume       *int     `json:"volume"`
	VolumeLevel  *float64 `json:"volume_level"`
	Muted        bool     `json:"is_volume_muted"`
	Title        *string  `json:"media_title"`
	Artist       *string  `json:"media_artist"`
	Album        *string  `json:"media_album_name"`
	ContentType  *string  `json:"media_content_type"`
	ContentID    *string  `json:"media_content_id"`
	File         *string  `json:"media_file"`
	Duration     *float64 `json:"media_duration"`
	Position     *float64 `json:"media_position"`
	PositionAt   *string  `json:"media_position_updated_at"`
	PlaybackID   *string  `json:"playback_id"`
	QueueLength  int      `json:"queue_length"`
	Repeat       string   `json:"repeat"`
	GroupLeader  *string  `json:"group_leader"`
	GroupMembers []string `json:"group_members"`
	Confidence   string   `json:"confidence"`
	Pairing      string   `json:"pairing"`
	Busy         bool     `json:"busy"`
	LastError    *problem `json:"last_error"`
	UpdatedAt    string   `json:"updated_at"`
}

// A problem is an error as users meet it: a stable word, and a sentence that
// says what to do.
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// stamp is how instants are written, in UTC.
const stamp = "2006-01-02T15:04:05.000Z"

// render makes the document of a state. pairing and now are the caller's.
func render(s player.State, pairing string, now time.Time) document {
	d := document{
		State:        string(s.Status),
		Activity:     "none",
		Muted:        s.Muted,
		GroupMembers: []string{},
		Confidence:   s.Confidence,
		QueueLength:  s.QueueLength,
		Repeat:       cmp.Or(string(s.Repeat), "off"),
		GroupLeader:  known(s.Leader),
		Pairing:      pairing,
		UpdatedAt:    now.UTC().Format(stamp),
	}
	if s.Members != "" {
		d.GroupMembers = strings.Split(s.Members, ",")
	}
	if d.Confidence == "" {
		d.Confidence = "unknown"
	}
	if s.VolumeKnown {
		percent := int(math.Round(s.Volume * 100))
		level := round(s.Volume, 4)
		d.Volume, d.VolumeLevel = &percent, &level
	}
	if s.Problem != (player.Problem{}) {
		d.LastError = &problem{s.Problem.Code, s.Problem.Message}
	}
	if s.Status != player.Idle {
		d.Activity = "media"
		d.media(s)
	}
	if s.Announcing != "" {
		d.Activity = s.Announcing
		if s.Status == player.Idle {
			d.State = string(player.Playing)
		}
	}
	return d
}

func (d *document) media(s player.State) {
	kind := "music"
	if s.Video {
		kind = "video"
	}
	d.ContentType = &kind
	d.Title, d.Artist, d.Album = known(s.Title), known(s.Artist), known(s.Album)
	d.ContentID, d.File = known(withoutSecrets(s.URL)), known(s.File)
	if d.ContentID == nil {
		d.ContentID = d.File
	}
	d.PlaybackID = known(s.PlaybackID)
	if s.Duration > 0 {
		d.Duration = seconds(s.Duration)
	}
	if !s.Since.IsZero() {
		at := s.Since.UTC().Format(stamp)
		d.Position, d.PositionAt = seconds(s.Position), &at
	}
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func seconds(d time.Duration) *float64 {
	v := round(d.Seconds(), 3)
	return &v
}

func round(v float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(v*unit) / unit
}

// keys are the document's keys as plain text, for those who cannot read JSON:
// null is the empty text. The keys that are no key of the document are for the
// media player of Home Assistant (hass.PlayerTopics).
func (d document) keys() map[string]string {
	var raw map[string]json.RawMessage
	_ = json.Unmarshal(encode(d), &raw)
	keys := make(map[string]string, len(raw)+3)
	for key, value := range raw {
		keys[key] = bare(value)
	}
	delete(keys, "updated_at") // it is about the document
	keys["media_duration_seconds"], keys["media_position_seconds"] = whole(d.Duration), whole(d.Position)
	keys["mute"] = "unmute"
	if d.Muted {
		keys["mute"] = "mute"
	}
	return keys
}

// bare is a JSON value as a person would write it.
func bare(value json.RawMessage) string {
	var s string
	switch {
	case string(value) == "null":
		return ""
	case json.Unmarshal(value, &s) == nil:
		return s
	}
	return string(value)
}

func whole(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(int(math.Round(*v)))
}

// withoutSecrets is a URL without its user, password, query and fragment. What
// is not to be parsed may hide a password anywhere and is not shown at all.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
