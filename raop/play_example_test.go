package raop_test

import (
	"context"
	"fmt"
	"log"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// A sound is heard in two rooms at once.
func Example() {
	var rooms []stream.Sink
	for _, name := range []string{"Kitchen", "Porch"} {
		speaker, err := raoptest.New(raoptest.Config{Name: name})
		if err != nil {
			log.Fatal(err)
		}
		defer speaker.Close()
		room, err := raop.Dial(context.Background(), speaker.Addr(), raop.ParseInfo(speaker.TXT()), nil)
		if err != nil {
			log.Fatal(err)
		}
		defer room.Close()
		rooms = append(rooms, room)
	}

	frames, _ := chime.Render("ding") // or a Track by audio.Open
	ding := audio.NewClip(frames[:audio.Rate/10])
	if err := stream.Play(context.Background(), ding.Source(), rooms...); err != nil {
		log.Fatal(err)
	}
	fmt.Println("heard in", len(rooms), "rooms")
	// Output: heard in 2 rooms
}

// playFile is all that it takes to play a file.
func playFile(ctx context.Context, address, path string) error {
	kitchen, err := raop.Dial(ctx, address, raop.Info{}, nil)
	if err != nil {
		return err
	}
	defer kitchen.Close()
	track, err := audio.Open(ctx, path)
	if err != nil {
		return err
	}
	defer track.Close()
	return stream.Play(ctx, track, kitchen) // or (ctx, track, kitchen, porch): in step
}

func ExampleSession() {
	speaker, err := raoptest.New(raoptest.Config{Name: "Kitchen"})
	if err != nil {
		log.Fatal(err)
	}
	defer speaker.Close()
	err = playFile(context.Background(), speaker.Addr(), "nothing.mp3")
	fmt.Println(err)
	// Output: audio: open nothing.mp3: no such file or directory
}
