package discovery

import (
	"maps"
	"net/netip"
	"slices"
)

// A Device is one receiver, or one stereo pair of receivers.
type Device struct {
	// ID is the hardware address, twelve upper-case hexadecimal digits. It
	// stays the same when the name or the addresses change. A stereo pair has
	// the ID of its leader. A device that tells no hardware address gets a
	// locally administered one that is made from its name.
	ID string
	// Name is what people call it, without control characters.
	Name string
	// Model is what it calls itself, such as AudioAccessory1,1; it may be empty.
	Model string
	// Addrs are where it can be reached, the best first: IPv4 before IPv6,
	// networks that this machine is part of before others. A link-local IPv6
	// address has its zone.
	Addrs []netip.Addr
	// RAOP is the service _raop._tcp (AirPlay 1), AirPlay is _airplay._tcp;
	// nil is "not announced", and one of them is never nil.
	RAOP, AirPlay *Service

	// Followers are the IDs of the other halves of a stereo pair, sorted. They
	// are not reported as devices while they are. Play to the leader only: it
	// sounds on all of them.
	Followers []string
	// Leader is set only where a Gone event tells that the device is there
	// still, but is now a follower of the one with this ID.
	Leader string
}

// TXT is both TXT records in one, as [airplay2mqtt/airplay.ParseInfo] and
// [airplay2mqtt/raop.ParseInfo] take them. Where both have a key, that of
// AirPlay counts, unless it is empty.
func (d Device) TXT() map[string]string {
	m := map[string]string{}
	for _, s := range []*Service{d.RAOP, d.AirPlay} {
		if s == nil {
			continue
		}
		for key, value := range s.TXT {
			if m[key] == "" || value != "" {
				m[key] = value
			}
		}
	}
	return m
}

// A Service is what a device announces for one protocol.
type Service struct {
	Port uint16
	// TXT is the TXT record: keys in lower case, values as they came. Of a
	// key that is there twice the first counts.
	TXT map[string]string
}

// An Event tells that a device came or changed, or that it is gone.
type Event struct {
	Device Device
	// Gone tells that the device is not announced any more; Device is what
	// was last known. A session with it may be alive all the same.
	Gone bool
}

// clone makes a copy that shares nothing.
func (d Device) clone() Device {
	d.Addrs = slices.Clone(d.Addrs)
	d.Followers = slices.Clone(d.Followers)
	d.RAOP, d.AirPlay = d.RAOP.clone(), d.AirPlay.clone()
	return d
}

func (d Device) equal(o Device) bool {
	return d.ID == o.ID && d.Name == o.Name && d.Model == o.Model && d.Leader == o.Leader &&
		slices.Equal(d.Addrs, o.Addrs) && slices.Equal(d.Followers, o.Followers) &&
		d.RAOP.equal(o.RAOP) && d.AirPlay.equal(o.AirPlay)
}

func (s *Service) clone() *Service {
	if s == nil {
		return nil
	}
	return &Service{Port: s.Port, TXT: maps.Clone(s.TXT)}
}

func (s *Service) equal(o *Service) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.Port == o.Port && maps.Equal(s.TXT, o.TXT)
}
