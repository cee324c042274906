package raop

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"airplay2mqtt/audio/alac"
)

// describe returns the body of ANNOUNCE. Keys, if any, are lines of their own.
func describe(number uint32, near, far netip.Addr, pcm bool, keys string) []byte {
	return fmt.Appendf(nil, "v=0\r\n"+
		"o=iTunes %d 0 IN %s\r\n"+
		"s=iTunes\r\n"+
		"c=IN %s\r\n"+
		"t=0 0\r\n"+
		"m=audio 0 RTP/AVP 96\r\n"+
		"%s%s", number, inSDP(near), inSDP(far), codec(pcm), keys)
}

// codec describes the payload. PCM never has an fmtp line: shairport-sync 4
// crashes on both (docs/protocols/raop.md, ANNOUNCE).
func codec(pcm bool) string {
	if pcm {
		return "a=rtpmap:96 L16/44100/2\r\n"
	}
	return fmt.Sprintf("a=rtpmap:96 AppleLossless\r\na=fmtp:96 %d 0 16 40 10 14 2 255 0 0 44100\r\n", alac.FramesPerPacket)
}

func inSDP(a netip.Addr) string {
	if a.Is4() {
		return "IP4 " + a.String()
	}
	return "IP6 " + a.WithZone("").String()
}

// sessionURL names a session. IPv6 addresses stand in brackets, without zone.
func sessionURL(near netip.Addr, number uint32) string {
	host := near.String()
	if near.Is6() {
		host = "[" + near.WithZone("").String() + "]"
	}
	return fmt.Sprintf("rtsp://%s/%d", host, number)
}

// A transport is the ports of a receiver. A timing port of 0 is normal: Apple
// TV and HomePod ask for the time from where they like.
type transport struct{ server, control, timing uint16 }

// parseTransport reads the Transport header of a SETUP reply.
func parseTransport(value string) (transport, error) {
	var t transport
	for part := range strings.SplitSeq(value, ";") {
		name, number, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 16)
		if err != nil {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "server_port":
			t.server = uint16(n)
		case "control_port":
			t.control = uint16(n)
		case "timing_port":
			t.timing = uint16(n)
		}
	}
	if t.server == 0 || t.control == 0 {
		return t, fmt.Errorf("no ports in its answer %.80q", value)
	}
	return t, nil
}
