package assistant

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Config says which Home Assistant, and as whom it is asked.
type Config struct {
	// URL is where its API is: /api/ stands behind it.
	URL string
	// Token is a long-lived access token, or that of the supervisor.
	Token string
	// Site is where its pages and media are, if that is elsewhere. Default: URL.
	Site string
	// Engine makes the sound of texts, such as tts.piper. Default: the first
	// that Home Assistant lists.
	Engine string
	// MaxSound is how many bytes the sound of a text may have. Zero: 16 MiB.
	MaxSound int64
	// TLS is how certificates are trusted. Nil: as usual.
	TLS *tls.Config
	// DialContext makes connections. Nil: the usual ones.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Client asks one Home Assistant. Its methods may be called from any
// goroutine.
type Client struct {
	cfg  Config
	http *http.Client
}

var (
	// ErrToken says that Home Assistant does not know the token.
	ErrToken = errors.New("it refuses the token; make one in your profile there (Security, Long-lived access tokens) for homeassistant.token")
	// ErrNoEngine says that Home Assistant cannot speak.
	ErrNoEngine = errors.New("it has no text-to-speech for this language; add one there (Settings, Devices & services), such as Piper")
)

// A statusError is an answer other than 200.
type statusError struct {
	status string
	said   string // what it says of itself
}

func (e *statusError) Error() string { return "it answers " + e.status + e.said }

// New makes a client. It opens no connection yet.
func New(cfg Config) (*Client, error) {
	if cfg.Site == "" {
		cfg.Site = cfg.URL
	}
	for _, address := range []*string{&cfg.URL, &cfg.Site} {
		u, err := url.Parse(*address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("assistant: the address is none such as http://homeassistant.local:8123")
		}
		*address = strings.TrimRight(*address, "/")
	}
	if cfg.MaxSound <= 0 {
		cfg.MaxSound = 16 << 20
	}
	return &Client{cfg: cfg, http: &http.Client{
		Transport: &http.Transport{
			DialContext: cfg.DialContext, TLSClientConfig: cfg.TLS, DisableKeepAlives: true, Proxy: nil,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// The token is for this address and no other.
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			return fmt.Errorf("it is at %s://%s now; write that into homeassistant.url", r.URL.Scheme, r.URL.Host)
		},
	}}, nil
}

// Address is the host and port that media of its own come from.
func (c *Client) Address() string {
	u, err := url.Parse(c.cfg.Site)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// ask makes a request below /api/ and returns the body of its answer, of most
// bytes.
func (c *Client) ask(ctx context.Context, method, path string, body io.Reader, most int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.cfg.URL+path, body)
	if err != nil {
		return nil, errors.New("its answer has an address that is none")
	}
	r.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, plain(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return nil, ErrToken
	case answer.StatusCode != http.StatusOK:
		return nil, &statusError{answer.Status, complaint(content)}
	case err != nil:
		return nil, fmt.Errorf("its answer breaks off: %w", plain(err))
	case int64(len(content)) > most:
		return nil, fmt.Errorf("its answer has more than %d bytes", most)
	}
	return content, nil
}

// plain takes the address out of an error: what a sound is fetched by is secret.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// fail says who was asked.
func (c *Client) fail(doing string, err error) error {
	u, _ := url.Parse(c.cfg.URL)
	return fmt.Errorf("Home Assistant (%s): %s: %w", u.Host, doing, err)
}
