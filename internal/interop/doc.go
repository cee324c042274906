// Package interop tests the built program against real parts: mosquitto,
// shairport-sync, avahi and D-Bus, each a process of its own on loopback.
//
// Its tests drive cmd/bridge as a person would, by files, flags and messages,
// and look at what comes out at the other end: the PCM that a receiver hands
// to its sound card, frame for frame, and the instant at which it does. Nothing
// here knows how the bridge is made.
//
// A test asks for the [House] with its receivers, starts a [Broker] and a
// [Bridge], and listens:
//
//	house := interop.Open(t)
//	broker := house.Broker(t, interop.BrokerConfig{})
//	tune := interop.Noise(1, 2*time.Second)
//	bridge := house.Bridge(t, interop.BridgeConfig{
//		Server:  broker.URL(),
//		Devices: []interop.Device{house.Kitchen.Device()},
//		Files:   map[string][]byte{"tune.wav": tune.WAV()},
//	})
//	ear := house.Kitchen.Listen()
//	bridge.Client.Publish(t, "airplay/kitchen/play_file", "tune.wav")
//	heard := ear.Hear(t, tune, interop.Exactly)
//
// All of it runs in Linux namespaces that belong to the test alone, as root or
// as anybody: every port is free, multicast DNS stays inside, and what was
// started ends with the test. Where namespaces are forbidden (a container
// without privileges) the parts run beside everything else. Where a part is not
// installed the tests skip and say which; with CI set in the environment they
// fail instead. scripts/setup installs them on Debian, and docs/interop.md
// tells the rest.
package interop
