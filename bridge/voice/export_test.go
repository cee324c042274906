package voice

// Arguments are what a command is started with.
func (c Command) Arguments(t Text) ([]string, error) { return c.arguments(t) }
