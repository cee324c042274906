// Package airplaytest is a receiver that speaks AirPlay 2 and tells what it
// heard, and when: paired and encrypted, by PTP or NTP, realtime or buffered.
// It needs no loudspeaker and no testing package.
//
//	kitchen, err := airplaytest.New(airplaytest.HomePod())
//	if err != nil {
//		return err
//	}
//	defer kitchen.Close()
//	session, err := airplay.Dial(ctx, kitchen.Addr(), airplay.ParseInfo(kitchen.TXT()), &airplay.Config{Clock: engine})
//
// It hears only what a real one would: what it could decrypt, in time, on a
// line whose clock it has measured itself. What a kind of device demands
// besides is a field of [Config], and a profile is such a Config. Where each
// rule comes from stands beside it; docs/protocols/airplay2.md has the links.
package airplaytest
