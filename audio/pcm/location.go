package pcm

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// ErrLocation is wrapped by errors for what does not say where samples come
// from.
var ErrLocation = errors.New("pcm: not a location")

// A Format says what the samples are. They are 16 bits with the little end
// first.
type Format struct {
	Rate     int // frames per second; 0: 44100
	Channels int // 1 to 8, in the order of WAVE; 0: 2
}

func (f Format) orUsual() Format {
	if f.Rate == 0 {
		f.Rate = 44100
	}
	if f.Channels == 0 {
		f.Channels = 2
	}
	return f
}

const (
	minRate, maxRate = 1000, 768000
	maxChannels      = 8
)

func (f Format) check() error {
	if f.Rate < minRate || f.Rate > maxRate {
		return fmt.Errorf("%w: a rate of %d, not one from %d to %d", ErrLocation, f.Rate, minRate, maxRate)
	}
	if f.Channels < 1 || f.Channels > maxChannels {
		return fmt.Errorf("%w: %d channels, not 1 to %d", ErrLocation, f.Channels, maxChannels)
	}
	return nil
}

// align is how many bytes a frame takes.
func (f Format) align() int { return 2 * f.Channels }

// A Kind is a way in which samples come.
type Kind string

const (
	FIFO Kind = "pcm"      // a named pipe, which is read
	Unix Kind = "pcm+unix" // a socket of the Unix domain, which is connected to
	TCP  Kind = "pcm+tcp"  // a server, which is connected to
)

// A Location says where samples come from, and what they are.
type Location struct {
	Kind    Kind
	Address string // a path, or a host and a port
	Format  Format
}

// Is tells whether a location is one of samples, right or wrong.
func Is(location string) bool {
	scheme, _, ok := strings.Cut(location, ":")
	if !ok {
		return false
	}
	switch Kind(strings.ToLower(scheme)) {
	case FIFO, Unix, TCP:
		return true
	}
	return false
}

// Parse reads a location:
//
//	pcm:/run/snapfifo
//	pcm+unix:/run/music.sock?rate=48000
//	pcm+tcp://192.168.1.4:4953?rate=48000&channels=1
//
// Paths are absolute; what is special in a URL is escaped in them ("%20").
func Parse(location string) (Location, error) {
	u, err := url.Parse(location)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the location
		}
		return Location{}, fmt.Errorf("%w: %v", ErrLocation, err)
	}
	l := Location{Kind: Kind(u.Scheme)}
	switch {
	case u.User != nil, u.Fragment != "":
		err = fmt.Errorf("%w: nobody is asked for a name or a fragment", ErrLocation)
	case l.Kind == TCP:
		l.Address, err = hostPort(u)
	case l.Kind == FIFO, l.Kind == Unix:
		l.Address, err = absolute(u)
	default:
		err = fmt.Errorf("%w: it begins with none of pcm:, pcm+unix: and pcm+tcp:", ErrLocation)
	}
	if err != nil {
		return Location{}, err
	}
	if l.Format, err = parseFormat(u.RawQuery); err != nil {
		return Location{}, err
	}
	return l, nil
}

// hostPort reads the address of a server. There is none that we would wait at
// for others to call: the one who makes the samples has it.
func hostPort(u *url.URL) (string, error) {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Opaque != "" || u.Path != "" && u.Path != "/":
		return "", fmt.Errorf("%w: it should look like pcm+tcp://host:port", ErrLocation)
	case u.Hostname() == "":
		return "", fmt.Errorf("%w: no host; a server is connected to, not waited for", ErrLocation)
	case !isHost(u.Hostname()):
		return "", fmt.Errorf("%w: a host called %q", ErrLocation, u.Hostname())
	case err != nil || port == 0:
		return "", fmt.Errorf("%w: no port", ErrLocation)
	}
	return net.JoinHostPort(u.Hostname(), strconv.FormatUint(port, 10)), nil
}

// isHost tells whether a name can be one of a host, or is its address.
func isHost(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0
}

// absolute reads a path.
func absolute(u *url.URL) (string, error) {
	switch {
	case u.Host != "":
		return "", fmt.Errorf("%w: a file of another machine", ErrLocation)
	case !strings.HasPrefix(u.Path, "/"):
		return "", fmt.Errorf("%w: the path does not begin with /", ErrLocation)
	case strings.Contains(u.Path, "\x00"):
		return "", fmt.Errorf("%w: a path with a zero in it", ErrLocation)
	}
	return path.Clean(u.Path), nil
}

// parseFormat reads the options.
func parseFormat(query string) (Format, error) {
	var f Format
	values, err := url.ParseQuery(query)
	if err != nil {
		return Format{}, fmt.Errorf("%w: options: %v", ErrLocation, err)
	}
	for name, value := range values {
		field := map[string]*int{"rate": &f.Rate, "channels": &f.Channels}[name]
		if field == nil {
			return Format{}, fmt.Errorf("%w: there is no option %q, only rate and channels", ErrLocation, name)
		}
		n, err := strconv.ParseUint(value[len(value)-1], 10, 20)
		if err != nil || n == 0 || len(value) > 1 {
			return Format{}, fmt.Errorf("%w: option %s: %q is not one number", ErrLocation, name, strings.Join(value, ","))
		}
		*field = int(n)
	}
	f = f.orUsual()
	return f, f.check()
}

// String returns the location in a form that Parse reads.
func (l Location) String() string {
	f := l.Format.orUsual()
	u := url.URL{Scheme: string(l.Kind), RawQuery: fmt.Sprintf("channels=%d&rate=%d", f.Channels, f.Rate)}
	if l.Kind == TCP {
		u.Host = l.Address
		return u.String()
	}
	u.Path, u.OmitHost = l.Address, true
	return u.String()
}
