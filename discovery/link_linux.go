package discovery

import (
	"net"
	"os"
	"syscall"
)

// listenGroup4 opens a socket that is bound to the group and so gets nothing
// else. One that is bound to the wildcard, as package net would make it, takes
// unicast answers away from other programs on this machine that speak
// multicast DNS, such as Home Assistant.
func listenGroup4(int) (net.PacketConn, error) {
	return listenGroup(syscall.AF_INET, &syscall.SockaddrInet4{Port: mdnsPort, Addr: group4.Addr().As4()})
}

// listenGroup6 does the same for IPv6, where the group is one of an interface.
func listenGroup6(iface int) (net.PacketConn, error) {
	return listenGroup(syscall.AF_INET6, &syscall.SockaddrInet6{
		Port: mdnsPort, ZoneId: uint32(iface), Addr: group6.Addr().As16(),
	})
}

func listenGroup(family int, at syscall.Sockaddr) (net.PacketConn, error) {
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "mdns")
	defer f.Close() // FilePacketConn has one of its own
	// Responders and browsers share the port: Linux asks each for REUSEADDR.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if family == syscall.AF_INET6 {
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := syscall.Bind(fd, at); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	return net.FilePacketConn(f)
}
