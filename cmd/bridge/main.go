// Bridge plays on AirPlay speakers what it is told over MQTT, and tells there
// what they do. `bridge -h` says what it can do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"airplay2mqtt/internal/nearest"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if isTerminal(os.Stderr) {
		ends = append(ends, syscall.SIGHUP) // the terminal was closed
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	go func() {
		<-ctx.Done()
		stop() // a second signal kills
	}()
	w := world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), supervisor: homeAssistant}
	os.Exit(w.main(ctx, os.Args[1:]))
}

// A world is what the program has around it. Tests make their own.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	supervisor     supervisor          // asked where environ has its token
	asked          func(*flag.FlagSet) // takes a command's flags instead of what it does; nil: it is done
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried, and the message says what went wrong
	exitUsage  = 2 // the command line cannot be understood
)

// A command is one of the program's words.
type command struct {
	name, args, summary string
	help                string // what -h says beyond the flags
	run                 func(w world, ctx context.Context, args []string) error
}

// commands are in the order in which people need them.
func commands() []command {
	return []command{
		{"run", "[-config FILE]", "be the bridge (what happens without a command)", runHelp, world.run},
		{"demo", "[-o FILE.wav]", "the whole way on this machine, without broker or speaker", demoHelp, world.demo},
		{"discover", "[-json] [-for 3s]", "list the speakers of the network", discoverHelp, world.discover},
		{"play", "-to NAME|HOST:PORT FILE|URL|-", "play a sound on speakers, and end", playHelp, world.play},
		{"pair", "[-remove] -to NAME|HOST:PORT", "pair with a device by the PIN that it shows", pairHelp, world.pair},
		{"credentials", "export|import FILE", "take along what pairings have left", credentialsHelp, world.credentials},
		{"probe", "[-json] FILE|URL|-", "ask what a sound is and whether it can be played", probeHelp, world.probe},
		{"doctor", "[-json] -to NAME|HOST:PORT", "find out why a speaker stays silent", doctorHelp, world.doctor},
		{"bench", "[-json] [-silent] -to NAME|HOST:PORT", "measure a speaker, and which latency it is good for", benchHelp, world.bench},
		{"check", "[-config FILE]", "look for mistakes in the configuration", checkHelp, world.check},
		{"health", "[-within 5s]", "ask a bridge that runs whether it is well", healthHelp, world.health},
		{"completion", "bash|zsh|fish", "write what a shell needs to complete commands", completionHelp, world.completion},
		{"man", "", "write the manual page", manualHelp, world.manual},
		{"version", "", "say which version this is", "", world.version},
	}
}

// errUsage is returned after a mistake on the command line has been told.
var errUsage = errors.New("usage")

func (w world) main(ctx context.Context, args []string) int {
	err := w.dispatch(ctx, args)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	}
	fmt.Fprintln(w.stderr, "bridge:", err)
	return exitFailed
}

func (w world) dispatch(ctx context.Context, args []string) error {
	name := "run"
	if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help") {
		return w.help(args[1:])
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(w, ctx, args)
		}
		names = append(names, c.name)
	}
	fmt.Fprintf(w.stderr, "bridge: there is no command %q%s\n", name, nearest.Hint(name, names))
	fmt.Fprintln(w.stderr, "`bridge -h` lists them.")
	return errUsage
}

func (w world) help(args []string) error {
	if len(args) > 0 {
		return w.dispatch(context.Background(), []string{args[0], "-h"})
	}
	fmt.Fprint(w.stdout, `bridge plays sound on AirPlay speakers, told by MQTT.

With no configuration it starts a broker of its own on this machine and finds
the speakers of the network: it works at once.

Usage: bridge [command] [flags]

`)
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(t, "  %s %s\t%s\n", c.name, c.args, c.summary)
	}
	t.Flush()
	fmt.Fprint(w.stdout, `
Without a command it is "bridge run". "bridge help COMMAND" says more of one.

First steps:
  bridge demo                        hear of the whole way, without any speaker
  bridge discover                    which speakers are there?
  bridge play -to Kitchen song.mp3   play one file and end
  bridge run                         be the bridge
  mosquitto_pub -t airplay/kitchen/play_url -m http://example.org/bell.mp3

Exit status: 0 well, 1 failed (the reason is on standard error), 2 usage.
`)
	return nil
}

// flags makes the flag set of a command, with a help that teaches.
func (w world) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	all := commands()
	c := all[slices.IndexFunc(all, func(c command) bool { return c.name == name })]
	f.Usage = func() {
		out := w.stdout
		fmt.Fprintf(out, "bridge %s: %s.\n\nUsage: bridge %s %s\n", c.name, c.summary, c.name, c.args)
		some := false
		f.VisitAll(func(*flag.Flag) { some = true })
		if some {
			fmt.Fprint(out, "\nFlags:\n")
			f.SetOutput(out)
			f.PrintDefaults()
		}
		if c.help != "" {
			fmt.Fprint(out, "\n"+c.help)
		}
	}
	return f
}

// parse reads the flags. What it returns has been told already.
func (w world) parse(f *flag.FlagSet, args []string, least, most int) error {
	if w.asked != nil {
		w.asked(f)
		return flag.ErrHelp
	}
	f.SetOutput(io.Discard)
	usage := f.Usage
	f.Usage = func() {}
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage()
		return flag.ErrHelp
	case err != nil:
	case f.NArg() < least:
		err = errors.New("something is missing at the end")
	case f.NArg() > most:
		err = fmt.Errorf("%q is more than is understood (flags go first)", f.Arg(most))
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "bridge %s: %v\n`bridge %s -h` shows what it takes.\n", f.Name(), err, f.Name())
		return errUsage
	}
	return nil
}
