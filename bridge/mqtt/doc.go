// Package mqtt keeps a connection to an MQTT broker, and has a broker of its
// own for houses that have none.
//
//	client, err := mqtt.New(mqtt.Config{
//		Server: "mqtt://192.168.1.2",
//		Will:   &mqtt.Message{Topic: "house/state", Payload: []byte("offline"), Retain: true, QoS: 1},
//		OnConnect: func(ctx context.Context) { sayEverything(ctx) },
//	})
//	if err != nil {
//		return err
//	}
//	client.Handle("house/+/play", func(m mqtt.Message) { commands <- m })
//	err = client.Run(ctx)
//
// # One connection after another
//
// Nothing survives a connection. Each begins with a clean session, in this
// order: the broker accepts it; Config.OnConnect runs and says everything
// again; then the filters of [Client.Handle] are subscribed, so that no command
// is heard before it can be answered truly. OnConnect may move that moment
// forward with [Client.Listen], and may read what is retained with
// [Client.Watch]. While there is no connection, Publish and Post return
// [ErrNotConnected] at once: nothing queues, so nothing old is said late.
//
// A connection that is lost is tried again after a quarter of a second, then
// after twice as long each time, up to four seconds in the first two minutes
// and thirty seconds later on. What is wrong, and what to do about it, is said
// once and then every minute.
//
// # Going
//
// When Run's context ends, what is in line is still sent, then the messages of
// Config.Goodbye; up to two seconds are given to the broker to acknowledge
// them, and the connection is closed so that the will is not sent. An owner
// with more to say publishes it first and ends Run's context afterwards.
//
// The libraries behind this package, paho and mochi, are named nowhere else.
package mqtt
