package mqtt_test

import (
	"context"
	"fmt"
	"net"

	"airplay2mqtt/bridge/mqtt"
)

// A client that says "online", hears one command and says goodbye, with a broker
// in the same process.
func Example() {
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var client *mqtt.Client
	client, err = mqtt.New(mqtt.Config{
		Dial:    func(context.Context) (net.Conn, error) { return broker.Pipe(), nil },
		Will:    &mqtt.Message{Topic: "house/state", Payload: []byte("offline"), Retain: true, QoS: 1},
		Goodbye: []mqtt.Message{{Topic: "house/state", Payload: []byte("offline"), Retain: true, QoS: 1}},
		OnConnect: func(ctx context.Context) {
			client.Listen(ctx)
			client.Publish(ctx, mqtt.Message{Topic: "house/state", Payload: []byte("online"), Retain: true, QoS: 1})
			client.Publish(ctx, mqtt.Message{Topic: "house/kitchen/play", Payload: []byte("chime")})
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client.Handle("house/+/play", func(m mqtt.Message) {
		fmt.Printf("%s: %s\n", m.Topic, m.Payload)
		cancel()
	})
	fmt.Println("ended:", client.Run(ctx))
	// Output:
	// house/kitchen/play: chime
	// ended: <nil>
}
