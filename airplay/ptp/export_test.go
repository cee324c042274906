package ptp

import "io/fs"

// OwnerOf finds the owner of a port in a /proc of the test's making.
func OwnerOf(proc fs.FS, port int) string { return ownerOf(proc, port) }
