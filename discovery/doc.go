// Package discovery finds AirPlay receivers on the local network by multicast
// DNS, and announces services of our own.
//
//	err := discovery.Browse(ctx, discovery.Config{}, func(e discovery.Event) {
//		if e.Gone {
//			fmt.Println("gone:", e.Device.Name)
//			return
//		}
//		fmt.Println(e.Device.ID, e.Device.Name, e.Device.Addrs)
//	})
//
// A receiver says itself in two services, _raop._tcp and _airplay._tcp, that
// carry the same hardware address: they become one [Device]. The two halves of
// a stereo pair become one as well. TXT records are handed on unread; what
// they mean is the affair of packages raop and airplay.
//
// A device is reported when it comes, when something about it changes, and
// when it is gone: when it said goodbye, when its records expired although it
// was asked again, or when it was silent in three rounds of questions. One
// missing answer makes nothing gone.
//
// What the network says is not trusted: packets and tables are bounded, names
// are cleaned of control characters, and nothing that arrives can end the
// program.
//
// For control over the network interfaces and the pace, see [Config].
package discovery
