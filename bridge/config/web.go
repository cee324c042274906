package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// shortToken is the length from which a token is not guessed.
const shortToken = 16

// checkWeb makes sure that nobody opens the page to a whole network unawares.
func (r *reading) checkWeb() {
	w := &r.cfg.Web
	if w.Token != "" && w.TokenFile != "" {
		r.wrong("web.token_file", "token is given too; keep one of them")
	}
	r.readable("web.token_file", w.TokenFile)
	if w.Ingress && (w.Token != "" || w.TokenFile != "") {
		r.wrong("web.token", "is not asked for with ingress; take one of them out")
	}
	if w.Token != "" && len(w.Token) < shortToken {
		r.wrong("web.token", "is shorter than %d characters: it would be guessed", shortToken)
	}
	if w.Listen == "" {
		if w.Ingress {
			r.wrong("web.listen", "is missing: with ingress, Home Assistant wants the page at the port of the app, such as 0.0.0.0:8099")
		}
		return
	}
	local, err := LoopbackOnly(w.Listen)
	switch {
	case err != nil:
		r.wrong("web.listen", "%v", err)
	case !local && !w.Ingress && w.Token == "" && w.TokenFile == "":
		r.wrong("web.token", "is missing: others than this machine can connect to %s, and without a token all of them could use the page; set one of %d characters or more, or listen on 127.0.0.1", w.Listen, shortToken)
	}
}

// LoopbackOnly tells whether only this machine can connect to what listens on
// an address such as 127.0.0.1:8330.
func LoopbackOnly(listen string) (bool, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return false, fmt.Errorf("%q is no address and port, such as 127.0.0.1:8330", listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return false, fmt.Errorf("%q is no port; 1 to 65535", port)
	}
	if host == "" || strings.EqualFold(host, "localhost") {
		return host != "", nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false, fmt.Errorf("%q is no address of this machine; write 127.0.0.1, or 0.0.0.0 for all of them", host)
	}
	return addr.IsLoopback(), nil
}
