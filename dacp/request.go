package dacp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"

	"airplay2mqtt/internal/parameter"
)

// What is read of a request at most. Those of receivers have 100 to 300 bytes.
const (
	maxLine   = 2 << 10
	maxFields = 50
	maxBody   = 64 << 10
	// maxAssignments is how many properties may be set at once.
	maxAssignments = 16
)

var errRequest = errors.New("no request of a remote control")

// A request is a request of HTTP as receivers send it: 1.0 or 1.1, in
// either case, often without a Host.
type request struct {
	method string // in upper case
	path   string // decoded
	query  string // as it came
	number uint32 // Active-Remote; 0: not said
	more   bool   // the receiver may ask again on this connection
}

// readRequest reads the next request. At the orderly end it returns io.EOF.
func readRequest(br *bufio.Reader) (request, error) {
	line, err := readLine(br)
	if err != nil {
		return request{}, err
	}
	words := strings.Fields(line)
	if len(words) != 3 || !strings.HasPrefix(strings.ToUpper(words[2]), "HTTP/1.") {
		return request{}, fmt.Errorf("%w: %.60q", errRequest, line)
	}
	u, err := url.ParseRequestURI(words[1])
	if err != nil {
		return request{}, fmt.Errorf("%w: %.60q", errRequest, words[1])
	}
	r := request{method: strings.ToUpper(words[0]), path: u.Path, query: u.RawQuery, more: !strings.EqualFold(words[2], "HTTP/1.0")}
	return r, r.readFields(br)
}

// readFields reads the header, and passes over the body.
func (r *request) readFields(br *bufio.Reader) error {
	body := 0
	for range maxFields {
		line, err := readLine(br)
		if err != nil {
			return unexpected(err)
		}
		if line == "" {
			_, err := io.CopyN(io.Discard, br, int64(body))
			return unexpected(err)
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "active-remote":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				n = 0
			}
			r.number = uint32(n)
		case "connection":
			r.more = r.more && !strings.EqualFold(value, "close")
		case "transfer-encoding":
			return fmt.Errorf("%w: a body in pieces", errRequest)
		case "content-length":
			if body, err = strconv.Atoi(value); err != nil || body < 0 || body > maxBody {
				return fmt.Errorf("%w: a body of %.20q bytes", errRequest, value)
			}
		}
	}
	return fmt.Errorf("%w: more than %d lines", errRequest, maxFields)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readLine reads a line without its end.
func readLine(br *bufio.Reader) (string, error) {
	b, err := br.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(b) > maxLine:
		return "", fmt.Errorf("%w: a line of more than %d bytes", errRequest, maxLine)
	case err == io.EOF && len(b) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// question is what shairport-sync asks each second. Who answers it with 400 has
// buttons and no more; with 404, five times, it takes the sender for deaf and
// offers no remote control any more (its dacp.c).
const question = "/ctrl-int/1/getproperty"

// verbs are the buttons, by what stands behind /ctrl-int/1/.
var verbs = map[string]string{
	"play": Play, "pause": Pause, "discrete-pause": Pause, "playpause": PlayPause,
	"stop": Stop, "playresume": PlayResume, "nextitem": Next, "previtem": Previous,
	"beginff": FastForward, "beginrew": Rewind, "volumeup": VolumeUp,
	"volumedown": VolumeDown, "mutetoggle": MuteToggle, "shuffle_songs": Shuffle,
}

// said returns what a request says. It is false for what we do not answer:
// mostly questions, whose answers would make receivers expect all of iTunes.
func (r request) said() ([]Remote, bool) {
	verb, ours := strings.CutPrefix(r.path, "/ctrl-int/1/")
	if kind := verbs[verb]; ours && kind != "" {
		return []Remote{{Kind: kind}}, true
	}
	if !ours || verb != "setproperty" {
		return nil, false
	}
	var all []Remote
	for assignment := range strings.SplitSeq(r.query, "&") {
		name, value, _ := strings.Cut(assignment, "=")
		value, err := url.QueryUnescape(value)
		if said, ok := property(name, value); ok && err == nil && len(all) < maxAssignments {
			all = append(all, said)
		}
	}
	return all, true
}

// property reads one assignment. Those that we do not know are ignored.
func property(name, value string) (Remote, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return Remote{}, false
	}
	switch name {
	case "dmcp.device-volume":
		return Remote{Kind: Volume, Level: parameter.Level(v)}, true
	case "dmcp.volume":
		return Remote{Kind: Volume, Level: min(max(v/100, 0), 1)}, true
	case "dmcp.device-prevent-playback", "dmcp.device-busy":
		return Remote{Kind: Busy, Busy: v != 0}, true
	}
	return Remote{}, false
}
