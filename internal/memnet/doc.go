// Package memnet is a network in memory: hosts with addresses, streams and
// datagrams between them, with latency, loss and cables that can be pulled.
//
//	lan := memnet.New()
//	kitchen, bridge := lan.Host("10.0.0.20"), lan.Host("10.0.0.1")
//	l, err := kitchen.Listen("tcp", ":5000")
//	conn, err := bridge.DialContext(ctx, "tcp", "10.0.0.20:5000")
//
// Whatever waits in it waits on channels and timers, so that a testing/synctest
// bubble sees it as idle and moves its clock. Nothing is lost or late unless
// the test says so.
package memnet
