// Package assistant asks Home Assistant for what only it has: the sound of a
// text, and where its own media are.
//
//	ha, err := assistant.New(assistant.Config{URL: "http://homeassistant.local:8123", Token: token})
//	mp3, err := ha.Speak(ctx, assistant.Speech{Message: "Dinner is ready", Language: "en"})
//	media, err := ha.Resolve(ctx, "media-source://media_source/local/bell.mp3")
//
// It speaks the REST API (POST /api/tts_get_url) and the WebSocket API
// (tts/engine/list, media_source/resolve_media), which are the same in Home
// Assistant 2024.3, with which it was tried, and 2026.9, whose source was read.
package assistant
