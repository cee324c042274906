package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"airplay2mqtt/audio"
)

const probeHelp = `The first second is decoded, so that the answer can be believed. Exit status 0:
it can be played; 1: it cannot, and the reason is said.

  bridge probe song.flac
  bridge probe -json http://radio.example.org/stream | jq .codec
  cat x.ogg | bridge probe -json -
`

// errNotStreamable is the end of a probe that found no sound.
var errNotStreamable = errors.New("it cannot be played")

func (w world) probe(ctx context.Context, args []string) error {
	f := w.flags("probe")
	asJSON := f.Bool("json", false, "write a JSON object: container, codec, sample_rate, bit_depth, channels, duration, seekable, streamable, reason, tags, artwork (its size in bytes)")
	if err := w.parse(f, args, 1, 1); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var opener audio.Opener
	var report audio.Report
	var err error
	if location := f.Arg(0); location == "-" {
		report, err = opener.ProbeReader(ctx, io.NopCloser(w.stdin), "standard input")
	} else {
		report, err = opener.Probe(ctx, location)
	}
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(w.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = w.describe(report)
	}
	if err == nil && !report.Streamable {
		err = fmt.Errorf("%w: %s", errNotStreamable, report.Reason)
	}
	return err
}

// describe writes a report for people.
func (w world) describe(r audio.Report) error {
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	row("format", cmp.Or(r.Codec, "unknown")+" in "+cmp.Or(r.Container, "unknown"))
	if r.Rate > 0 {
		bits := ""
		if r.Bits > 0 {
			bits = fmt.Sprintf(", %d bit", r.Bits)
		}
		row("sound", fmt.Sprintf("%d Hz, %d channels%s", r.Rate, r.Channels, bits))
	}
	if r.Duration > 0 {
		row("duration", r.Duration.Round(time.Millisecond).String())
	}
	row("title", r.Tags.Title)
	row("artist", r.Tags.Artist)
	row("album", r.Tags.Album)
	if r.Artwork > 0 {
		row("artwork", fmt.Sprintf("%d bytes", r.Artwork))
	}
	row("seekable", fmt.Sprint(r.Seekable))
	row("playable", fmt.Sprint(r.Streamable))
	return t.Flush()
}
