package interop

import "time"

// A State is the state document of a device, as docs/topics.md has it. Pointers
// are nil for null.
type State struct {
	State         string   `json:"state"`
	Activity      string   `json:"activity"`
	Volume        *float64 `json:"volume"`
	VolumeLevel   *float64 `json:"volume_level"`
	Muted         *bool    `json:"is_volume_muted"`
	Title         *string  `json:"media_title"`
	Artist        *string  `json:"media_artist"`
	Album         *string  `json:"media_album_name"`
	ContentID     *string  `json:"media_content_id"`
	File          *string  `json:"media_file"`
	Duration      *float64 `json:"media_duration"`
	Position      *float64 `json:"media_position"`
	PositionSince *string  `json:"media_position_updated_at"`
	PlaybackID    *string  `json:"playback_id"`
	QueueLength   int      `json:"queue_length"`
	Confidence    string   `json:"confidence"`
	Busy          bool     `json:"busy"`
	LastError     *Error   `json:"last_error"`

	At time.Time `json:"-"` // when it was heard
}

// An Error is a stable word and a sentence for a person.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// A Result is the answer to a command.
type Result struct {
	Command     string   `json:"command"`
	Status      string   `json:"status"`
	ID          string   `json:"id"`
	Transaction string   `json:"transaction"`
	Error       *Error   `json:"error"`
	Latency     *float64 `json:"latency_ms"`

	At time.Time `json:"-"` // when it was heard
}

// Code is the word of the error, or "ok".
func (r Result) Code() string {
	if r.Error == nil {
		return r.Status
	}
	return r.Error.Code
}

// An Event is something that happened to a device.
type Event struct {
	Type   string `json:"event_type"`
	Reason string `json:"reason"`
}
