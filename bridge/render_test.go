package bridge_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/player"

	"github.com/google/go-cmp/cmp"
)

func TestStateDocument(t *testing.T) {
	playing := player.State{
		Status: player.Playing, Volume: 0.4, VolumeKnown: true, PlaybackID: "p42",
		URL: "http://me:secret@ha:8123/media/local/bell.mp3?authSig=secret", Title: "Doorbell",
		Duration: 4200 * time.Millisecond, Since: noon, Confidence: "clock_locked",
	}
	want := `{"state":"playing","activity":"media","volume":40,"volume_level":0.4,"is_volume_muted":false,` +
		`"media_title":"Doorbell","media_artist":null,"media_album_name":null,"media_content_type":"music",` +
		`"media_content_id":"http://ha:8123/media/local/bell.mp3","media_file":null,` +
		`"media_duration":4.2,"media_position":0,"media_position_updated_at":"2026-09-20T12:00:00.000Z",` +
		`"playback_id":"p42","queue_length":0,"repeat":"off","group_leader":null,"group_members":[],"confidence":"clock_locked",` +
		`"pairing":"not_required","busy":false,"last_error":null,"updated_at":"2026-09-20T12:00:01.000Z"}`
	if diff := cmp.Diff(want, string(bridge.Render(playing, "not_required", noon.Add(time.Second)))); diff != "" {
		t.Errorf("playing (-want +got):\n%s", diff)
	}
	idle := player.State{Status: player.Idle, Problem: player.Problem{Code: "busy", Message: "somebody else plays"}}
	var got map[string]any
	if err := json.Unmarshal(bridge.Render(idle, "required", noon), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"state": "idle", "activity": "none", "volume": nil, "media_position": nil, "confidence": "unknown", "pairing": "required",
		"last_error": map[string]any{"code": "busy", "message": "somebody else plays"},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("idle, %s (-want +got):\n%s", key, diff)
		}
	}
	if len(got) != 24 {
		t.Errorf("got %d keys while idle, want all 24", len(got))
	}
}

func TestAnAnnouncementIsShown(t *testing.T) {
	for _, c := range []struct {
		status          player.Status
		state, activity string
	}{{player.Idle, "playing", "chime"}, {player.Playing, "playing", "chime"}, {player.Paused, "paused", "chime"}} {
		var got struct{ State, Activity string }
		if err := json.Unmarshal(bridge.Render(player.State{Status: c.status, Announcing: "chime"}, "", noon), &got); err != nil {
			t.Fatal(err)
		}
		if got.State != c.state || got.Activity != c.activity {
			t.Errorf("%s: got %s, %s, want %s, %s", c.status, got.State, got.Activity, c.state, c.activity)
		}
	}
}

func TestKeysAsPlainText(t *testing.T) {
	keys := bridge.Keys(player.State{
		Status: player.Paused, Volume: 0.333, VolumeKnown: true, File: "a.wav", Duration: 61600 * time.Millisecond, Position: 2400 * time.Millisecond, Since: noon,
	}, "not_required", noon)
	for key, want := range map[string]string{
		"state": "paused", "volume": "33", "volume_level": "0.333", "is_volume_muted": "false", "media_artist": "",
		"media_file": "a.wav", "media_duration": "61.6", "media_duration_seconds": "62", "media_position_seconds": "2",
		"mute": "unmute", "last_error": "",
	} {
		if got := keys[key]; got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if _, ok := keys["updated_at"]; ok {
		t.Error("updated_at has a topic of its own: it would be said with every change")
	}
}

func TestAddressesLoseTheirSecrets(t *testing.T) {
	for _, url := range []string{
		"http://me:s3cret@nas/bell.mp3", "http://nas/bell.mp3?token=s3cret", "http://nas/bell.mp3#s3cret",
		"http://me:s3/cret@nas/x?s3cret", "http://me:%zzs3cret@nas/x",
	} {
		doc := string(bridge.Render(player.State{Status: player.Playing, URL: url}, "", noon))
		if strings.Contains(doc, "s3") {
			t.Errorf("%s: the secret is told: %s", url, doc)
		}
	}
}
