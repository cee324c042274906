package dacp

import (
	"bufio"
	"bytes"
)

// ReadRequests reads requests of a remote control until one is none, and returns
// what they say.
func ReadRequests(b []byte) (all []Remote) {
	br := bufio.NewReaderSize(bytes.NewReader(b), maxLine)
	for {
		r, err := readRequest(br)
		if err != nil {
			return all
		}
		said, _ := r.said()
		all = append(all, said...)
	}
}
