// Package dacp hears what somebody presses on a speaker that plays for us: on
// its buttons, or on its own remote control.
//
// Receivers look for the server by multicast DNS when a session begins, so it
// is served and announced before the first is dialled. A program has one for
// all its sessions, of either AirPlay:
//
//	buttons, err := dacp.New(dacp.Config{})
//	l, err := net.Listen("tcp", ":0")
//	go buttons.Serve(ctx, l)
//	go discovery.Announce(ctx, discovery.Config{}, discovery.Instance{
//		Name: buttons.Instance(), Type: dacp.Service, TXT: buttons.TXT(),
//		Port: uint16(l.Addr().(*net.TCPAddr).Port),
//	})
//	session, err := raop.Dial(ctx, address, info, &raop.Config{
//		RemoteServer: buttons, Remote: func(r dacp.Remote) { ... },
//	})
package dacp
