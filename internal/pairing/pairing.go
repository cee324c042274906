// Package pairing is what the two ways of pairing have in common, that of
// today (package hap) and that of 2017 (package legacy): how they ask, and how
// receivers refuse.
package pairing

import (
	"context"

	"airplay2mqtt/internal/rtsp"
)

// A Post asks a receiver by POST and returns the answer, whatever its code.
// All of one pairing is asked on one connection, and after an error the next
// is tried on another. It adds a User-Agent to every
// request: receivers with AirTunes 980 answer 403 without one
// (docs/protocols/airplay2.md, headers).
type Post func(ctx context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error)

// UserAgent is what a Post names itself as, with the number of an Apple sender.
const UserAgent = "AirPlay/670.6.2"
