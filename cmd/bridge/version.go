package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set when a release is built: -ldflags "-X main.version=1.2.3".
var version = ""

// release is the version as it is shown.
func release() string {
	if version != "" {
		return version
	}
	return "0.0.0-dev"
}

// commit is the revision that the program was built from, where it is known.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}

func (w world) version(_ context.Context, args []string) error {
	f := w.flags("version")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "airplay2mqtt %s", release())
	if c := commit(); c != "" {
		fmt.Fprintf(w.stdout, " (%s)", c)
	}
	fmt.Fprintf(w.stdout, " %s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
