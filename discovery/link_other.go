//go:build !linux

package discovery

import "net"

// listenGroup4 opens a socket that shares the port with others; package net
// sets REUSEADDR, and REUSEPORT where systems want it, for a group's address.
func listenGroup4(int) (net.PacketConn, error) {
	return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(group4))
}

func listenGroup6(int) (net.PacketConn, error) {
	return net.ListenUDP("udp6", net.UDPAddrFromAddrPort(group6))
}
