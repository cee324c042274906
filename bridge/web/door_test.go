package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/web"
)

func TestAddressThatOthersReachWantsAToken(t *testing.T) {
	for _, c := range []struct {
		address, token string
		ingress        bool
		want           string // in the error; empty: none
	}{
		{address: "127.0.0.1:8330"},
		{address: "[::1]:8330"},
		{address: "localhost:8330"},
		{address: "0.0.0.0:8330", want: "no token is set"},
		{address: ":8330", want: "no token is set"},
		{address: "[::]:8330", want: "no token is set"},
		{address: "192.168.1.5:8330", want: "no token is set"},
		{address: "example.org:8330", want: "no token is set"},
		{address: "8330", want: "no address and port"},
		{address: "0.0.0.0:8330", token: token},
		{address: "0.0.0.0:8330", ingress: true},
	} {
		_, err := web.New(web.Config{Address: c.address, Token: c.token, Ingress: c.ingress, Base: "airplay", Broker: mqtt.Config{Server: "mqtt://b"}})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v, want none", c.address, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.address, err, c.want)
		}
	}
}

// knock asks the door of a page for something, from an address.
func knock(t *testing.T, cfg web.Config, from, method, path string, header ...string) int {
	t.Helper()
	cfg.Base, cfg.Broker = "airplay", mqtt.Config{Server: "mqtt://b"}
	s, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:8330"+path, nil)
	r.RemoteAddr = from + ":40000"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler(t.Context()).ServeHTTP(w, r)
	return w.Code
}

func TestOtherSitesAreRefused(t *testing.T) {
	local := web.Config{Address: "127.0.0.1:8330"}
	open := web.Config{Address: "0.0.0.0:8330", Token: token}
	for _, c := range []struct {
		name         string
		cfg          web.Config
		method, path string
		header       []string
		want         int
	}{
		{"looked at here", local, "GET", "/", nil, 200},
		{"by another name of this machine", local, "GET", "/", []string{"Host", "localhost:9000"}, 200},
		{"by a name that leads here", local, "GET", "/", []string{"Host", "evil.example:8330"}, 403},
		{"metrics by a name that leads here", local, "GET", "/metrics", []string{"Host", "evil.example"}, 403},
		{"socket of our page", local, "GET", "/socket", []string{"Origin", "http://127.0.0.1:8330"}, 400}, // no upgrade
		{"socket of another site", local, "GET", "/socket", []string{"Origin", "http://evil.example"}, 403},
		{"socket of another port", local, "GET", "/socket", []string{"Origin", "http://127.0.0.1:9999"}, 403},
		{"socket of nobody", local, "GET", "/socket", []string{"Origin", "null"}, 403},
		{"socket without a word, by a browser", local, "GET", "/socket", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"upload of another site", local, "POST", "/upload", []string{"Origin", "https://evil.example"}, 403},
		{"login of another site", open, "POST", "/login", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"link from another site", local, "GET", "/", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"any name, where a token is asked for", open, "GET", "/", []string{"Host", "speakers.lan"}, 200},
		{"socket by that name, without a token", open, "GET", "/socket", []string{"Host", "speakers.lan", "Origin", "http://speakers.lan"}, 401},
		{"another one's forwarding does not count", open, "POST", "/upload", []string{"Origin", "http://evil.example", "X-Forwarded-Host", "evil.example"}, 403},
		{"metrics without a token", open, "GET", "/metrics", nil, 401},
		{"health without a token", open, "GET", "/healthz", nil, 200},
	} {
		if got := knock(t, c.cfg, "192.0.2.7", c.method, c.path, c.header...); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestIngressServesHomeAssistantOnly(t *testing.T) {
	behind := web.Config{Address: "0.0.0.0:8099", Ingress: true}
	for _, c := range []struct {
		from, path string
		header     []string
		want       int
	}{
		{"172.30.32.2", "/", []string{"Host", "ha.example"}, 200},
		{"172.30.32.2", "/metrics", nil, 200},
		{"172.30.32.2", "/socket", []string{"Host", "172.30.32.1:8099", "Origin", "https://ha.example", "X-Forwarded-Host", "ha.example"}, 400}, // no upgrade
		{"172.30.32.2", "/socket", []string{"Origin", "https://evil.example", "X-Forwarded-Host", "ha.example"}, 403},
		{"172.30.32.3", "/", nil, 403},
		{"192.168.1.5", "/", []string{"X-Forwarded-For", "172.30.32.2"}, 403},
		{"192.168.1.5", "/healthz", nil, 403},
		{"127.0.0.1", "/", nil, 403},
		{"127.0.0.1", "/healthz", nil, 200},
		{"[::ffff:172.30.32.2]", "/", nil, 200},
	} {
		if got := knock(t, behind, c.from, "GET", c.path, c.header...); got != c.want {
			t.Errorf("%s %s %v: got %d, want %d", c.from, c.path, c.header, got, c.want)
		}
	}
}

func TestTokenOpensTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(c *web.Config) { c.Address, c.Token = "0.0.0.0:8330", token })
		if answer, _ := h.ask("GET", "/metrics", nil, "Authorization", "Bearer "+token); answer.StatusCode != 200 {
			t.Errorf("token: got %d, want 200", answer.StatusCode)
		}
		answer, _ := h.ask("POST", "/login", strings.NewReader(`{"token":"`+token+`"}`), "X-Forwarded-Proto", "https")
		cookies := answer.Cookies()
		if answer.StatusCode != http.StatusNoContent || len(cookies) != 1 {
			t.Fatalf("login: got %d and %d cookies, want 204 and one", answer.StatusCode, len(cookies))
		}
		if c := cookies[0]; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, token) {
			t.Errorf("cookie: got %v, want it to be HttpOnly, Secure, Strict, and without the token", c)
		}
		cookie := cookies[0].Name + "=" + cookies[0].Value
		h.browse("Cookie", cookie).until(`"hello"`)
		h.ask("POST", "/logout", nil, "Cookie", cookie)
		if answer, _ := h.ask("GET", "/metrics", nil, "Cookie", cookie); answer.StatusCode != 401 {
			t.Errorf("after logout: got %d, want 401", answer.StatusCode)
		}
		for range 100 {
			h.ask("POST", "/login", strings.NewReader(`{"token":"`+token+`"}`))
		}
		if got := h.server.Guests(); got > 64 {
			t.Errorf("%d browsers are remembered, want 64 at most", got)
		}
	})
}

func TestWrongTokensAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(c *web.Config) { c.Address, c.Token = "0.0.0.0:8330", token })
		got := map[int]int{}
		for range 15 {
			answer, _ := h.ask("POST", "/login", strings.NewReader(`{"token":"`+token+`x"}`))
			got[answer.StatusCode]++
		}
		if got[401] != 10 || got[429] != 5 {
			t.Errorf("got %v, want 10 times 401 and then 429", got)
		}
		if answer, _ := h.ask("GET", "/metrics", nil, "Authorization", "Bearer "+token); answer.StatusCode != 429 {
			t.Errorf("the right one after too many: got %d, want 429", answer.StatusCode)
		}
		time.Sleep(11 * time.Second)
		if answer, _ := h.ask("GET", "/metrics", nil, "Authorization", "Bearer "+token); answer.StatusCode != 200 {
			t.Errorf("the right one after a while: got %d, want 200", answer.StatusCode)
		}
	})
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		got := map[int]int{}
		for range 300 {
			answer, _ := h.ask("GET", "/healthz", nil)
			got[answer.StatusCode]++
		}
		if got[200] < 200 || got[429] == 0 {
			t.Errorf("got %v, want 200 answers and then 429", got)
		}
	})
}
