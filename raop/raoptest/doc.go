// Package raoptest is a receiver that speaks the real RAOP protocol and tells
// what it heard, and when. It needs no loudspeaker, no network and no testing
// package: it serves tests in virtual time, and anybody who wants a virtual
// speaker.
//
//	kitchen, err := raoptest.New(raoptest.Config{Name: "Kitchen"})
//	if err != nil {
//		return err
//	}
//	defer kitchen.Close()
//	session, err := raop.Dial(ctx, kitchen.Addr(), raop.ParseInfo(kitchen.TXT()), nil)
//
// It behaves like shairport-sync 3, whose source and behaviour we know best:
// it plays nothing before it knows the sender's clock, drops syncs until then,
// asks for lost packets as long as the announced latency allows, and puts each
// frame where the sender's play line says. The knobs of [Config] are oddities
// of receivers seen in the wild, named after those that have them.
package raoptest
