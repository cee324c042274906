package airplay_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
)

// A receiver is dialled by what mDNS says of it in _airplay._tcp.
func ExampleDial() {
	speaker, err := airplaytest.New(airplaytest.NTPTelevision())
	if err != nil {
		log.Fatal(err)
	}
	defer speaker.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	s, err := airplay.Dial(ctx, speaker.Addr(), airplay.ParseInfo(speaker.TXT()), &airplay.Config{
		Timing: airplay.NTP, // Clock: ptp.New(ptp.Config{}) is for those that want PTP
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	fmt.Println(s.Facts().Timing)
	// Output: ntp
}
