package main

import "net"

// loopback is the name of the interface that leads nowhere else: lo on Linux,
// lo0 on macOS.
func loopback() string {
	list, err := net.Interfaces()
	if err != nil {
		return "lo"
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	return "lo"
}
