// Package stream sends one sound to any number of speakers, in step and on
// time.
//
// A session with a receiver, raop.Session or airplay.Session, is a Sink:
//
//	kitchen, err := raop.Dial(ctx, "192.168.1.20:7000", raop.Info{}, nil)
//	track, err := audio.Open(ctx, "doorbell.mp3")
//	err = stream.Play(ctx, track, kitchen) // or (ctx, track, kitchen, porch)
//
// For control over latency, and to pause, seek, or let speakers come and go
// while it sounds, make a [Stream]. What it promises is told by a [Timeline]:
// a frame has one moment at which it is heard, in every room.
package stream
