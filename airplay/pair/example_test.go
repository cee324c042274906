package pair_test

import (
	"context"
	"fmt"
	"log"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/pair"
)

// An Apple TV shows its PIN, and is paired with by it once and for all.
func ExampleStart() {
	tv, err := airplaytest.New(airplaytest.AppleTV("1234"))
	if err != nil {
		log.Fatal(err)
	}
	defer tv.Close()

	info := airplay.ParseInfo(tv.TXT())
	p, err := pair.Start(context.Background(), tv.Addr(), info, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	credentials, err := p.Finish(context.Background(), "1234") // which somebody has read
	if err != nil {
		log.Fatal(err)
	}
	kept, err := airplay.ParseCredentials(credentials.Text())
	fmt.Println(kept.Text() == credentials.Text(), err)
	// Output: true <nil>
}
