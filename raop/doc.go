// Package raop sends sound to AirPlay 1 receivers: AirPort Express, Apple TV,
// network amplifiers, shairport-sync.
//
//	kitchen, err := raop.Dial(ctx, "192.168.1.20:5000", raop.Info{}, nil)
//	if err != nil {
//		return err
//	}
//	defer kitchen.Close()
//	kitchen.SetVolume(ctx, 0.5)
//	err = stream.New(track, stream.Config{}, kitchen).Run(ctx)
//
// A [Session] is warm as soon as it is dialled: the receiver has said yes to
// everything and shares our clock, so that Start costs no round trip. It
// takes packets of 352 frames that were encoded once for all receivers
// (package audio/alac), stamps them, remembers them for those that get lost,
// and tells the receiver every second which frame belongs to which instant.
//
// [ParseInfo] reads what a receiver says of itself in mDNS; the zero Info is
// a receiver of which nothing is known, and mostly works. For control over
// passwords, volume, latency and the network, fill in a [Config].
//
// What we know of the wire, with sources and doubts, is in
// docs/protocols/raop.md.
package raop
