// Package ptp keeps the time that AirPlay 2 receivers play by. One engine
// serves all sessions of a process, because its two ports exist once.
//
//	engine := ptp.New(ptp.Config{})
//	defer engine.Close()
//	peer, err := engine.Add(receiver, ptp.Lead)
//	if errors.Is(err, ptp.ErrPorts) {
//		return err // it says how the ports are granted
//	}
//	defer peer.Remove()
//	clock, now, ok := peer.Stamp(time.Now())
//
// Most receivers follow our clock ([Lead]), and their questions are the only
// sign that they do. A HomePod of software 27 that stands alone keeps its own
// time, which the engine then follows ([Follow]). What we know of the wire is
// in docs/protocols/airplay2.md, PTP.
package ptp
