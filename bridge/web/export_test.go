package web

// What tests of this package look at from outside.

// ParseAsk reads what a page says, as topic, payload, tail and doctor.
func ParseAsk(text []byte) (topic, payload, tail, doctor string, err error) {
	a, err := parseAsk(text)
	return a.Topic, a.Payload, a.Tail, a.Doctor, err
}

// Guests is how many browsers are remembered that have said the token.
func (s *Server) Guests() int {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	return len(s.door.guests)
}
