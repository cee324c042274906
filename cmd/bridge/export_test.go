package main

import (
	"context"
	"io"
	"strings"
)

// Main runs the program as a shell would, in a world of its own.
func Main(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, environ []string, args ...string) int {
	return world{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}.main(ctx, args)
}

// MainOfApp is Main for an app of Home Assistant, whose supervisor is at url.
func MainOfApp(ctx context.Context, url, options string, stdout, stderr io.Writer, environ []string, args ...string) int {
	w := world{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr, environ: environ, supervisor: supervisor{url, options}}
	return w.main(ctx, args)
}

// Names are all commands.
func Names() []string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

// SecondCause is what the doctor says of an error of AirPlay 2.
func SecondCause(err error) (cause, advice string) { return secondCause(err) }
