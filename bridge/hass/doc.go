// Package hass writes what Home Assistant wants to hear, so that devices appear
// in it by themselves. It is data in, messages out: it knows no broker.
//
//	kitchen := hass.Device{ID: "5855CA1AE288", Slug: "kitchen", Name: "Kitchen", Version: "0.1.0", MediaPlayer: true}
//	for _, m := range kitchen.Messages() {
//		publish(m)
//	}
//
// Two dialects are spoken. Stock Home Assistant gets one payload for each device
// (device-based discovery): a sensor, texts, buttons and so on, for there is no
// media player in its MQTT integration. The custom integration
// mqtt_media_player gets a payload of its own, which makes a media player of the
// device, on the same page.
//
// What a payload points at, the states and commands below the base topic, is
// listed in docs/topics.md; [PlayerTopics] are those that the second dialect reads.
//
// Rules of Home Assistant that are kept here, and held by tests: the root, device
// and origin of a payload are strict, one unknown key and all of it is refused;
// so is it with one component of platform media_player; a text holds at most 255
// characters; unique ids come from the device's id and never change, entity ids
// are suggestions made from its slug.
package hass
