package bridge

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/nearest"
)

// Groups are devices whose players have no speaker of their own
// (docs/decisions/0014-lent-sessions.md).

// everybody is the word for the group of all devices that are there.
const everybody = "all"

// isGroup tells whether a device is a group of others.
func (d *device) isGroup() bool { return d.record.Group != nil }

// groupID is the id of a group, which never changes.
func groupID(name string) string {
	slug := slugOf(name)
	if slug == "" { // it is not written in Latin letters
		slug = fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(name)))
	}
	return "GROUP_" + strings.ToUpper(slug)
}

// beginGroups makes the groups of the configuration, those that were made at
// run time, and the one of all.
func (b *Bridge) beginGroups() {
	for _, g := range b.cfg.Groups {
		b.configured(g)
	}
	for id, rec := range b.registry.devices {
		switch _, there := b.devices[id]; {
		case rec.Group == nil || there:
		case rec.Group.Static: // it is not configured any more
			delete(b.registry.devices, id)
			b.registry.dirty = true
		default:
			b.add(rec, false)
		}
	}
	b.all = b.newDevice(&record{
		Slug: everybody, Device: discovery.Device{ID: strings.ToUpper(everybody), Name: "All"}, Group: new(groupRecord),
	}, config.Device{})
	b.live(b.all)
	b.regroup()
}

// configured makes a group of the configuration.
func (b *Bridge) configured(g config.Group) {
	rec := b.registry.get(groupID(g.Name), g.Name)
	if slug := slugOf(g.Name); slug != "" && rec.Slug != slug {
		b.log.Warn().Str("group", g.Name).Str("device", rec.Slug).Msg("a device is called like this group, which has another name on topics; rename one of them")
	}
	rec.Name, rec.Group = "", &groupRecord{Members: g.Members, Static: true}
	b.registry.dirty = true
	d := b.add(rec, false)
	for _, word := range g.Members {
		switch m := b.named(word); {
		case m == nil:
			d.log.Info().Str("member", word).Msg("a member of the group is not known yet; it joins when it is found")
		case m.isGroup():
			d.log.Error().Str("member", word).Msg("a group cannot be a member of a group")
		}
	}
}

// named finds a device by its slug, id or name; nil: there is none.
func (b *Bridge) named(word string) *device {
	if id, ok := b.registry.find(word); ok && b.devices[id] != nil {
		return b.devices[id]
	}
	if d := b.devices[config.NormalID(word)]; d != nil {
		return d
	}
	return b.namesake(word)
}

// namesake finds a device by what people call it, or what it was called before
// it was renamed: the configuration may know it by that. Of several it is the
// one whose slug is the first.
func (b *Bridge) namesake(word string) (first *device) {
	for _, same := range []func(*device) bool{
		func(d *device) bool { return strings.EqualFold(d.name(), word) },
		func(d *device) bool { return strings.EqualFold(d.record.Device.Name, word) },
		func(d *device) bool { return word != "" && slugOf(d.record.Device.Name) == word },
	} {
		for _, d := range b.devices {
			if same(d) && (first == nil || d.slug() < first.slug()) {
				first = d
			}
		}
		if first != nil {
			return first
		}
	}
	return nil
}

// regroup tells the players of groups who their members are by now, and the
// broker whether any of them is there.
func (b *Bridge) regroup() {
	if b.all == nil || b.living.Err() != nil {
		return
	}
	for _, d := range b.devices {
		if d.isGroup() {
			var members []*device
			for _, word := range d.record.Group.Members {
				if m := b.named(word); m != nil && !m.isGroup() && !slices.Contains(members, m) {
					members = append(members, m)
				}
			}
			b.regroupAs(d, members)
			b.setOnline(d, slices.ContainsFunc(members, func(m *device) bool { return m.online }))
		}
	}
	var members []*device
	for _, d := range b.devices {
		stays := b.all.busy.Load() && slices.Contains(b.all.members, d) // it comes back in step
		if !d.isGroup() && (d.online || stays) && d.target.Load().refusal == nil {
			members = append(members, d)
		}
	}
	slices.SortFunc(members, func(a, b *device) int { return strings.Compare(a.slug(), b.slug()) })
	b.regroupAs(b.all, members)
	b.all.online = len(members) > 0
	b.all.face.available(b.all.online)
	b.rejoin()
}

// regroupAs tells a group's player who its members are, if that is news.
func (b *Bridge) regroupAs(d *device, members []*device) {
	if slices.Equal(d.members, members) {
		return
	}
	d.members = members
	if err := d.player.Send(player.Lead{Members: playersOf(members)}, nil); err != nil {
		d.log.Warn().Err(err).Msg("the members of the group could not be changed")
	}
}

func playersOf(members []*device) []*player.Player {
	list := make([]*player.Player, len(members))
	for i, m := range members {
		list[i] = m.player
	}
	return list
}

// rejoin has devices join whom they had joined before, once both are there.
func (b *Bridge) rejoin() {
	for _, d := range b.devices {
		leader := b.devices[d.record.Joined]
		if d.rejoined || leader == nil {
			continue
		}
		d.rejoined = true
		if err := d.player.Send(player.Join{Leader: leader.player}, nil); err != nil {
			d.log.Warn().Err(err).Msg("it could not join its group again")
		}
	}
}

// follows remembers whom a device has joined, when that changes.
func (b *Bridge) follows(d *device, leader string) {
	if d.joined == leader {
		return
	}
	d.joined, d.rejoined = leader, true
	id, _ := b.registry.bySlug(leader)
	d.record.Joined, b.registry.dirty = id, true
}

// sendHome has those leave a device that have joined it.
func (b *Bridge) sendHome(d *device) {
	for _, m := range b.devices {
		if m.record.Joined == d.id() {
			if err := m.player.Send(player.Unjoin{}, nil); err != nil {
				m.log.Warn().Err(err).Msg("it could not leave its group")
			}
		}
	}
}

// join has a device join another, or a group.
func (b *Bridge) join(word, leader string, a *answer) {
	d, err := b.device(word)
	if err != nil {
		a.give(err)
		return
	}
	a.face = d.face
	l, err := b.device(leader)
	switch {
	case err != nil:
	case d.isGroup():
		err = bad("%s is a group, which cannot join another; it is devices that join", d.slug())
	case l == d:
		err = bad("%s cannot join itself", d.slug())
	case l.isGroup() && slices.Contains(l.members, d):
		err = bad("%s is a member of %s already", d.slug(), l.slug())
	case l.isGroup() && l == b.all:
		err = bad("all devices are in the group of all; there is nothing to join")
	case l.record.Joined != "":
		err = bad("%s has joined %s itself; join that one", l.slug(), l.joined)
	}
	if err != nil {
		a.give(err)
		return
	}
	b.send(d, []player.Command{player.Join{Leader: l.player}}, a.give)
}

// device finds whom a word in a topic or a payload means.
func (b *Bridge) device(word string) (*device, error) {
	if word == everybody {
		return b.all, nil
	}
	if d := b.named(word); d != nil {
		return d, nil
	}
	return nil, &refusal{"unknown_device", fmt.Sprintf("there is no device %q%s", word, nearest.Hint(word, b.slugs()))}
}

// audience is who hears what a device plays: itself, or the members of a group,
// and those who have joined it.
func (b *Bridge) audience(d *device) []*device {
	list := slices.Clone(d.members)
	for _, m := range b.devices {
		if m.record.Joined == d.id() && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	if len(list) > 0 && !d.isGroup() {
		list = append(list, d)
	}
	return list
}

// groupListing is the row of a group.
func (d *device) groupListing() Listing {
	l := Listing{
		ID: d.id(), Slug: d.slug(), Name: d.name(), Model: "group",
		Protocols: []string{}, Features: []string{"audio"}, Pairing: "not_required",
		Availability: "offline", Playable: true, Members: []string{},
	}
	if d.online {
		l.Availability = "online"
	}
	for _, m := range d.members {
		l.Members = append(l.Members, m.slug())
	}
	return l
}
