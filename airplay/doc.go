// Package airplay sends sound to AirPlay 2 receivers: HomePod, Apple TV, Sonos,
// Samsung, shairport-sync.
//
//	clock := ptp.New(ptp.Config{}) // one for all sessions of a process
//	defer clock.Close()
//	info := airplay.ParseInfo(txt) // of _airplay._tcp, by package discovery
//	kitchen, err := airplay.Dial(ctx, "192.168.1.20:7000", info, &airplay.Config{Clock: clock})
//	if err != nil {
//		return err
//	}
//	defer kitchen.Close()
//	err = stream.New(track, stream.Config{}, kitchen).Run(ctx)
//
// A [Session] is what raop.Session is for AirPlay 1, and may stand beside one
// in a stream: both are heard in step. It is warm as soon as it is dialled.
// Sound lies on a line through time that is drawn once and never moved; what
// is not sound on it is silence where a receiver must not run dry.
//
// Receivers answer 200 to everything and stay silent if they do not keep time
// with us, so Dial waits for a sign that they do, and [Session.Confidence]
// tells whether they still do. What a receiver says of itself decides which
// protocol it speaks ([Info.AirPlay2]) and how it wants a sender to prove
// itself ([Info.Pairing]).
//
// What we know of the wire, with sources and doubts, is in
// docs/protocols/airplay2.md.
package airplay
