package video

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"airplay2mqtt/internal/plist"
)

// A link is a connection on which a receiver shows films in one of the ways.
// Its methods may be called from several goroutines.
type link interface {
	// play has it play a film, in the place of what it plays. An errWay means
	// that another way may do better.
	play(ctx context.Context, f request) error
	rate(ctx context.Context, rate float64) error
	seek(ctx context.Context, to time.Duration) error
	stop(ctx context.Context) error
	// poll asks how far it is. After an error the link is dead.
	poll(ctx context.Context) (report, error)
	// give answers a wish for a playlist.
	give(ctx context.Context, w wish, f fetched) error
	// addresses are our end and the receiver's.
	addresses() (near, far net.Addr)
	// close hangs up, and waits for what the link has started.
	close()
}

// A louder link sets the volume of films.
type louder interface {
	volume(ctx context.Context, level float64) error
}

// A request is for a film.
type request struct {
	address string
	from    time.Duration
	id      string // UUID
}

// check sees that it can be asked for.
func (r request) check() error {
	if u, err := url.Parse(r.address); err != nil || u.Scheme == "" || strings.ContainsAny(r.address, "\r\n") {
		return errors.New("not a URL")
	}
	return nil
}

// hls tells whether the address is that of a playlist.
func (r request) hls() bool {
	u, err := url.Parse(r.address)
	return err == nil && strings.HasSuffix(strings.ToLower(u.Path), ".m3u8")
}

// A report is what a receiver says when it is asked how far it is.
type report struct {
	code int
	info plist.Dict
	none bool // it has not answered, which says nothing
}

// A wish is for a playlist that a receiver wants its sender to fetch.
type wish struct {
	request plist.Dict
	message any // by what the answer is told from others, nil where nothing is
}

// fetched is what was at an address.
type fetched struct {
	status int
	mime   string
	body   []byte
}

// answer is what goes to the receiver.
func (w wish) answer(f fetched) plist.Dict {
	d := plist.Dict{
		"FCUP_Response_URL": w.request.Text("FCUP_Response_URL"), "FCUP_Response_StatusCode": f.status, "FCUP_Response_Data": f.body,
		"FCUP_Response_Headers": plist.Dict{"Content-Type": f.mime},
	}
	if id, ok := w.request["FCUP_Response_RequestID"]; ok {
		d["FCUP_Response_RequestID"] = id
	}
	return d
}

// An asker asks on a connection, one question at a time.
type asker interface {
	ask(ctx context.Context, method, path, mime string, body []byte) (answer, error)
}

// controls are the requests that the older two ways have in common.
type controls struct{ asker }

const listType = "application/x-apple-binary-plist"

// must asks for something whose answer says nothing but yes or no.
func (c controls) must(ctx context.Context, name, method, path string, d plist.Dict) error {
	var body []byte
	mime := ""
	if d != nil {
		b, err := plist.Marshal(d)
		if err != nil {
			return err
		}
		body, mime = b, listType
	}
	a, err := c.ask(ctx, method, path, mime, body)
	if err == nil {
		err = a.ok(name)
	}
	return err
}

func (c controls) rate(ctx context.Context, rate float64) error {
	return c.must(ctx, "rate", "POST", fmt.Sprintf("/rate?value=%f", rate), nil)
}

func (c controls) seek(ctx context.Context, to time.Duration) error {
	return c.must(ctx, "scrub", "POST", fmt.Sprintf("/scrub?position=%f", to.Seconds()), nil)
}

func (c controls) stop(ctx context.Context) error {
	return c.must(ctx, "stop", "POST", "/stop", nil)
}

func (c controls) poll(ctx context.Context) (report, error) {
	a, err := c.ask(ctx, "GET", "/playback-info", "", nil)
	if err != nil {
		return report{}, err
	}
	info, _ := plist.UnmarshalDict(a.body) // what is none says nothing
	return report{code: a.code, info: info}, nil
}

func (c controls) give(ctx context.Context, w wish, f fetched) error {
	b, err := plist.Marshal(plist.Dict{"type": "unhandledURLResponse", "params": w.answer(f)})
	if err == nil {
		_, err = c.ask(ctx, "POST", "/action", listType, b)
	}
	return err
}

// refusesWay tells whether an answer means that another way may do better, and
// not that we are not welcome.
func refusesWay(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, 453, 470:
		return false
	}
	return true
}

// anotherWay marks the error of an answer that another way may spare us.
func anotherWay(err error) error {
	if refusesWay(err) {
		return fmt.Errorf("%w: %w", errWay, err)
	}
	return err
}
