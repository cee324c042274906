// Package repo holds the rules of this repository as tests: which package may
// import which, that the documents say what the code does, and that the
// example configuration is the default one.
package repo
