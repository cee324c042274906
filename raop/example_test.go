package raop_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// A receiver is dialled by what mDNS says of it: host, port and TXT record.
func ExampleDial() {
	kitchen, err := raoptest.New(raoptest.Config{Name: "Kitchen", Password: "geheim"})
	if err != nil {
		log.Fatal(err)
	}
	defer kitchen.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	volume := 0.4
	s, err := raop.Dial(ctx, kitchen.Addr(), raop.ParseInfo(kitchen.TXT()), &raop.Config{
		Password: "geheim",
		Volume:   &volume,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	level, _ := s.Volume()
	fmt.Println(level, s.MinLead())
	// Output: 0.4 250ms
}

func ExampleInfo_Unplayable() {
	info := raop.ParseInfo(map[string]string{"am": "AudioAccessory5,1", "vs": "980.10"})
	fmt.Println(info.Unplayable())
	// Output: HomePods with OS 27 or later play AirPlay 2 only
}
