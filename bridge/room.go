package bridge

// How many devices and groups there may be: more than a house has, and less than
// somebody can make up.
const (
	mostDevices = 300
	mostGroups  = 100
)

// room tells whether one more device can be remembered. Of those that are away
// the one that was seen least lately is forgotten for it.
func (b *Bridge) room() bool {
	n, oldest := 0, ""
	for id, rec := range b.registry.devices {
		if rec.Group != nil {
			continue
		}
		n++
		d := b.devices[id]
		away := !rec.Static && (d == nil || !d.online)
		if away && (oldest == "" || rec.LastSeen.Before(b.registry.devices[oldest].LastSeen)) {
			oldest = id
		}
	}
	if n < mostDevices {
		return true
	}
	if oldest == "" {
		return false
	}
	if d := b.devices[oldest]; d != nil {
		b.remove(d)
	}
	delete(b.registry.devices, oldest)
	return true
}

// grouped is how many groups were made at run time.
func (b *Bridge) grouped() (n int) {
	for _, d := range b.devices {
		if d.isGroup() && !d.record.Group.Static {
			n++
		}
	}
	return n
}
