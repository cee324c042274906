package audio

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A FetchError tells why a URL could not be read.
type FetchError struct {
	URL    string // without user, password and query
	Status int    // of an answer other than 200; 0: there was none
	Err    error  // nil if there is a Status
}

func (e *FetchError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("audio: fetch %s: %d %s", e.URL, e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("audio: fetch %s: %v", e.URL, e.Err)
}

func (e *FetchError) Unwrap() error { return e.Err }

// shown is a URL without what is nobody's business.
func shown(u *url.URL) string {
	if u == nil {
		return "…"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// A TooLargeError tells that a URL has more than the Opener's MaxDownload.
type TooLargeError struct {
	URL   string // without user, password and query
	Size  int64  // bytes; -1: not told
	Limit int64
}

func (e *TooLargeError) Error() string {
	if e.Size < 0 {
		return fmt.Sprintf("audio: fetch %s: larger than the limit of %d MiB", e.URL, e.Limit>>20)
	}
	return fmt.Sprintf("audio: fetch %s: %d MiB, the limit is %d", e.URL, e.Size>>20, e.Limit>>20)
}

// unsupportedError is ErrUnsupported with what was found instead of sound, and
// what could be done.
type unsupportedError struct {
	name   string
	what   string // "an HTML page"
	advice string // "is this the address of a web page?"
	err    error  // of the decoder
	cause  error  // that what says
}

func (e *unsupportedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "audio: open %s: %s", e.name, e.what)
	if e.advice != "" {
		b.WriteString(": " + e.advice)
	}
	if e.err != nil {
		fmt.Fprintf(&b, ": %v", e.err)
	}
	return b.String()
}

func (e *unsupportedError) Is(target error) bool {
	return target == ErrUnsupported || e.cause != nil && target == e.cause
}
func (e *unsupportedError) Unwrap() error { return e.err }
