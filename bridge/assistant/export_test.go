package assistant

// Place is what tests see of place.
func Place(site, address string) (Media, error) { return place(site, address, "") }

// Understand reads a message of the WebSocket API, and its result as JSON.
func Understand(text []byte) (result any, err error) {
	m, err := parse(text)
	if err == nil {
		err = m.into(&result)
	}
	return result, err
}

// Complaint is what an answer says of itself.
func Complaint(content []byte) string { return complaint(content) }
