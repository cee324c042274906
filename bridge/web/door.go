package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// ingress is from where Home Assistant serves the pages of its apps; it demands
// that they are closed to all others.
var ingress = netip.AddrFrom4([4]byte{172, 30, 32, 2})

const (
	cookieName = "airplay2mqtt"
	// staying is how long a browser need not say the token again.
	staying = 30 * 24 * time.Hour
	// maxGuests is how many browsers have said the token.
	maxGuests = 64
)

// A door decides who may use the page.
type door struct {
	token   [sha256.Size]byte
	asks    bool // for the token
	ingress bool

	all   *limits // of requests
	wrong *limits // of wrong tokens

	mu     sync.Mutex
	guests map[[sha256.Size]byte]time.Time // until when, by the hash of their cookie
}

// newDoor refuses an address that others can connect to where nothing is asked
// of them.
func newDoor(address, token string, behind bool) (*door, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is no address and port, such as 127.0.0.1:8330", address)
	}
	if token == "" && !behind && !loopback(host) {
		return nil, fmt.Errorf("others than this machine can connect to %s, and no token is set: set web.token, or listen on 127.0.0.1", address)
	}
	return &door{
		token: sha256.Sum256([]byte(token)), asks: token != "" && !behind, ingress: behind,
		all: newLimits(200, 50), wrong: newLimits(10, 0.1),
		guests: map[[sha256.Size]byte]time.Time{},
	}, nil
}

// loopback tells whether a host is this machine and can be no other.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// guard lets in who may look at the page at all, and tells browsers how careful
// they have to be.
func (d *door) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch err := d.admits(r); {
		case err != nil:
			refuse(w, http.StatusForbidden, "%v", err)
		case !d.all.take(peer(r)):
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "too many requests; wait a second")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// admits says why somebody may not even look.
func (d *door) admits(r *http.Request) error {
	from := peer(r)
	watches := r.URL.Path == "/healthz" || r.URL.Path == "/metrics"
	switch {
	case d.ingress && from != ingress && !(watches && from.IsLoopback()):
		return errors.New("this page is served to Home Assistant only: open it there, from the app")
	case !d.ingress && !d.asks && !loopback(hostOf(r.Host)):
		// A page elsewhere may have given its own name our address.
		return fmt.Errorf("this page is called by the address of this machine, not by %q; set web.token to use another name", r.Host)
	case !d.sameOrigin(r):
		return errors.New("another site may not use this page")
	}
	return nil
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// peer is who connected.
func peer(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// sameOrigin tells whether a request does not come from the page of somebody
// else. Who is no browser says nothing of it. To look at what is the same for
// everybody, anybody may follow a link.
func (d *door) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		site := r.Header.Get("Sec-Fetch-Site")
		plain := r.Method == http.MethodGet && r.URL.Path != "/socket"
		return plain || site == "" || site == "same-origin" || site == "none"
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return d.ingress && strings.EqualFold(u.Host, r.Header.Get("X-Forwarded-Host"))
}

// members lets in only who has said the token, where one is asked for.
func (d *door) members(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		said, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !d.asks || d.knows(r):
			next(w, r)
		case !bearer:
			refuse(w, http.StatusUnauthorized, "the token of the configuration (web.token) is wanted")
		case d.check(w, r, said):
			next(w, r)
		}
	}
}

// check compares a token, in the same time whatever it is, and answers those
// that are wrong. Who has said many is not listened to for a while.
func (d *door) check(w http.ResponseWriter, r *http.Request, said string) bool {
	if !d.wrong.left(peer(r)) {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusTooManyRequests, "too many wrong tokens; wait ten seconds")
		return false
	}
	sum := sha256.Sum256([]byte(said))
	if subtle.ConstantTimeCompare(sum[:], d.token[:]) == 1 {
		return true
	}
	d.wrong.take(peer(r))
	refuse(w, http.StatusUnauthorized, "the token is wrong; it is web.token of the configuration")
	return false
}

// login gives a browser that says the token a cookie.
func (d *door) login(w http.ResponseWriter, r *http.Request) {
	var said struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 4<<10)).Decode(&said); err != nil {
		refuse(w, http.StatusBadRequest, `a JSON object is wanted, {"token":"..."}`)
		return
	}
	if d.asks && !d.check(w, r, said.Token) {
		return
	}
	key := rand.Text()
	d.welcome(key)
	cookie := d.cookie(r, key)
	cookie.MaxAge = int(staying / time.Second)
	http.SetCookie(w, cookie)
	w.WriteHeader(http.StatusNoContent)
}

// logout forgets a browser.
func (d *door) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		d.mu.Lock()
		delete(d.guests, sha256.Sum256([]byte(c.Value)))
		d.mu.Unlock()
	}
	cookie := d.cookie(r, "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
	w.WriteHeader(http.StatusNoContent)
}

func (d *door) cookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

// welcome remembers a browser. Where there are too many, the one that is
// forgotten first makes room.
func (d *door) welcome(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.guests) >= maxGuests {
		var oldest [sha256.Size]byte
		first := time.Time{}
		for k, until := range d.guests {
			if first.IsZero() || until.Before(first) {
				oldest, first = k, until
			}
		}
		delete(d.guests, oldest)
	}
	d.guests[sha256.Sum256([]byte(key))] = time.Now().Add(staying)
}

// knows tells whether a browser has said the token before.
func (d *door) knows(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.guests[sha256.Sum256([]byte(c.Value))])
}
