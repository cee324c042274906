// Package bridge is the switchboard between AirPlay receivers and an MQTT
// broker: it shows every receiver there, turns messages on command topics into
// what its player shall do, and tells what happens.
//
//	b, err := bridge.New(bridge.Config{Settings: settings, Logger: log})
//	if err != nil {
//		return err
//	}
//	return b.Run(ctx)
//
// One goroutine, the switchboard, owns all devices; each device's player is a
// goroutine of its own; the teller keeps what the broker ought to hold, and
// tells it, all of it once more after a reconnect. Topics and payloads are
// those of docs/topics.md.
package bridge
