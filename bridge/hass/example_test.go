package hass_test

import (
	"fmt"

	"airplay2mqtt/bridge/hass"
)

func ExampleDevice_Messages() {
	d := hass.Device{ID: "5855CA1AE288", Slug: "kitchen", Name: "Kitchen", MediaPlayer: true}
	for _, m := range d.Messages() {
		fmt.Println(m.Topic)
	}
	// Output:
	// homeassistant/device/airplay_5855CA1AE288/config
	// homeassistant/media_player/kitchen/config
}
