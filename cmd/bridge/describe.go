package main

import (
	"context"
	"flag"
	"io"
	"regexp"
	"strings"
)

// A description is a command with the flags that it takes, as others than the
// command itself want to know it: shells, and the manual.
type description struct {
	command
	flags []*flag.Flag
}

// descriptions asks all commands for their flags. None of them does anything else.
func (w world) descriptions() []description {
	var all []description
	for _, c := range commands() {
		d := description{command: c}
		asking := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
		asking.asked = func(f *flag.FlagSet) { f.VisitAll(func(one *flag.Flag) { d.flags = append(d.flags, one) }) }
		_ = c.run(asking, context.Background(), nil) // flag.ErrHelp
		all = append(all, d)
	}
	return all
}

// takes is what a flag wants behind it: "" for nothing, "file" for a file, else
// a word for people.
func takes(f *flag.Flag) string {
	name, _ := flag.UnquoteUsage(f)
	return name
}

// says is the usage of a flag in one line.
func says(f *flag.Flag) string {
	_, usage := flag.UnquoteUsage(f)
	return usage
}

var choice = regexp.MustCompile(`^[a-z]+(\|[a-z]+)+`)

// words are those that the first argument of a command is one of, such as
// export and import; none: it is something else.
func (d description) words() []string {
	if m := choice.FindString(d.args); m != "" {
		return strings.Split(m, "|")
	}
	return nil
}

// wantsFile tells whether a command takes a file at its end.
func (d description) wantsFile() bool { return strings.Contains(d.args, "FILE") }
