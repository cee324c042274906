// Package airplay reads what AirPlay receivers say of themselves.
//
//	info := airplay.ParseInfo(txt) // of _airplay._tcp, by package discovery
//	if ok, why := info.AirPlay2(); !ok {
//		fmt.Println("not for AirPlay 2:", why)
//	}
//	pairing, why := info.Pairing()
//	fmt.Println(pairing, why)
//
// It is the beginning of a sender for AirPlay 2: which protocol a receiver
// speaks, whether it takes video, and how it wants a sender to prove itself.
// Pairing itself, sessions and video are not here yet; AirPlay 1 is package
// raop.
package airplay
