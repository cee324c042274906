package audio

// Overrides are tags that a listener gives to a sound.
type Overrides struct {
	Tags Tags
	// Missing leaves what the sound says of itself, and only adds what it does
	// not say. Otherwise all that Tags has replaces it.
	Missing bool
}

// Apply gives the tags of a sound that says found of itself. How long it is
// nobody knows better than the sound.
func (o Overrides) Apply(found Tags) Tags {
	if o.Missing {
		t := found.Or(o.Tags)
		t.Duration = found.Duration
		return t
	}
	t := o.Tags.Or(found)
	t.Duration = found.Duration
	return t
}
