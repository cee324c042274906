package bridge

import "slices"

// setGroup makes a group, or changes who its members are.
func (b *Bridge) setGroup(f fields) (any, error) {
	name, err := f.text("name")
	if err != nil {
		return nil, err
	}
	words, err := f.texts("members")
	slug := slugOf(name)
	known := b.named(name)
	switch {
	case err != nil:
		return nil, err
	case slug == "" || len(name) > 63:
		return nil, bad("name must be a text of 1 to 63 bytes, with letters or digits")
	case reserved[slug], slug == nobody:
		return nil, bad("a group cannot be called %q: the topics have that word already", name)
	case len(words) == 0 || len(words) > mostMembers:
		return nil, bad("members must be 1 to %d slugs, names or ids of devices", mostMembers)
	case known == nil && b.grouped() >= mostGroups:
		return nil, bad("there are %d groups already, which is as many as there may be; remove one", mostGroups)
	case known != nil && !known.isGroup():
		return nil, bad("%q is a device; a group needs another name", name)
	case known != nil && known.record.Group.Static:
		return nil, bad("the group %q stands in the configuration; change it there", name)
	}
	if id, taken := b.registry.bySlug(slug); known == nil && taken && b.registry.devices[id].Group == nil {
		return nil, bad("a device has been called %q; a group needs another name", slug)
	}
	members, err := b.membersOf(slug, words)
	if err != nil {
		return nil, err
	}
	if known == nil {
		rec := b.registry.get(b.freeGroupID(name), name)
		rec.Group = new(groupRecord)
		rec.Group.Members = members
		known = b.add(rec, false)
		b.tellHappened("device_discovered", known)
	}
	known.record.Group.Members, b.registry.dirty = members, true
	b.regroup()
	b.tellDevices()
	return known.groupListing(), nil
}

// freeGroupID is the id of a new group. One that was called so before it was
// renamed has kept its own.
func (b *Bridge) freeGroupID(name string) string {
	id := groupID(name)
	for b.devices[id] != nil {
		id += "_"
	}
	return id
}

// mostMembers is how many members a group may have, and a message targets.
const mostMembers = 100

// membersOf makes ids of the members that are to be in a group, once each: a
// name may change.
func (b *Bridge) membersOf(slug string, words []string) ([]string, error) {
	var ids []string
	for _, word := range words {
		if slugOf(word) == slug && word != "" {
			return nil, bad("a group cannot be a member of itself")
		}
		d, err := b.device(word)
		switch {
		case err != nil:
			return nil, err
		case d.isGroup():
			return nil, bad("%s is a group; the members of a group are devices", d.slug())
		case !slices.Contains(ids, d.id()):
			ids = append(ids, d.id())
		}
	}
	return ids, nil
}

// removeGroup dissolves a group that was made at run time.
func (b *Bridge) removeGroup(f fields) (any, error) {
	name, err := f.text("name")
	if err != nil {
		return nil, err
	}
	d := b.named(name)
	switch {
	case d == nil:
		_, err := b.device(name)
		if err == nil {
			err = bad("the group of all cannot be removed")
		}
		return nil, err
	case !d.isGroup():
		return nil, bad("%s is a device and no group", d.slug())
	case d.record.Group.Static:
		return nil, bad("the group %q stands in the configuration; take it out there", d.name())
	}
	b.remove(d)
	delete(b.registry.devices, d.id())
	b.tellDevices()
	return nil, nil
}
