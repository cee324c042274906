package discovery

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	maxPacket  = 9000             // bytes of a packet, by RFC 6762
	maxRecords = 512              // of a packet that are looked at
	maxStrings = 128              // of a TXT record that are kept
	maxTTL     = 75 * time.Minute // what responders use for what hardly changes
	mdnsPort   = 5353

	questionsPerPacket = 12
)

type kind uint8

const (
	pointer kind = iota + 1 // PTR: this service has that instance
	server                  // SRV: the instance is at this host and port
	text                    // TXT
	address                 // A, AAAA
)

// A record is one statement of the network, as far as we care.
type record struct {
	kind   kind
	name   string        // in presentation form, as it was written
	ttl    time.Duration // 0: goodbye
	flush  bool          // what was said before of this name and kind is void
	target string        // of a pointer and a server
	port   uint16        // of a server
	text   []string      // of a text, unescaped
	addr   netip.Addr    // of an address, without zone
}

// parse reads the records of a multicast DNS answer. What is malformed ends
// it, and what stood before is kept; a query has none.
func parse(b []byte) []record {
	if len(b) < 12 || len(b) > maxPacket || b[2]&0xf8 != 0x80 || b[3]&0x0f != 0 {
		return nil // not an answer, or one with an error code
	}
	questions := int(binary.BigEndian.Uint16(b[4:]))
	count := 0
	for i := 6; i < 12; i += 2 {
		count += int(binary.BigEndian.Uint16(b[i:]))
	}
	off := 12
	for range questions {
		_, next, err := dns.UnpackDomainName(b, off)
		if err != nil || next+4 > len(b) {
			return nil
		}
		off = next + 4
	}
	var found []record
	for range min(count, maxRecords) {
		r, next, ok := parseRecord(b, off)
		if !ok {
			break
		}
		if r.kind != 0 {
			found = append(found, r)
		}
		off = next
	}
	return found
}

// parseRecord reads the record at off and tells where the next one begins. A
// record that is none of ours has no kind.
func parseRecord(b []byte, off int) (r record, next int, ok bool) {
	name, off, err := dns.UnpackDomainName(b, off)
	if err != nil || off+10 > len(b) {
		return record{}, 0, false
	}
	typ, class := binary.BigEndian.Uint16(b[off:]), binary.BigEndian.Uint16(b[off+2:])
	ttl := time.Duration(binary.BigEndian.Uint32(b[off+4:])) * time.Second
	begin := off + 10
	end := begin + int(binary.BigEndian.Uint16(b[off+8:]))
	if end > len(b) {
		return record{}, 0, false
	}
	r = record{name: name, ttl: min(ttl, maxTTL), flush: class&0x8000 != 0}
	if class&0x7fff == dns.ClassINET {
		r.kind = r.parseData(b, typ, begin, end)
	}
	return r, end, true
}

// parseData reads what a record says and returns its kind, 0 if it is none of
// ours or malformed.
func (r *record) parseData(b []byte, typ uint16, begin, end int) kind {
	data := b[begin:end]
	switch typ {
	case dns.TypePTR:
		if r.parseTarget(b, begin, end) {
			return pointer
		}
	case dns.TypeSRV:
		if len(data) > 6 && r.parseTarget(b, begin+6, end) {
			r.port = binary.BigEndian.Uint16(data[4:])
			return server
		}
	case dns.TypeTXT:
		if r.parseText(data) {
			return text
		}
	case dns.TypeA, dns.TypeAAAA:
		if (typ == dns.TypeA && len(data) == 4) || (typ == dns.TypeAAAA && len(data) == 16) {
			r.addr, _ = netip.AddrFromSlice(data)
			r.addr = r.addr.Unmap()
			if !r.addr.IsUnspecified() && !r.addr.IsMulticast() {
				return address
			}
		}
	}
	return 0
}

func (r *record) parseTarget(b []byte, begin, end int) bool {
	name, off, err := dns.UnpackDomainName(b, begin)
	r.target = name
	return err == nil && off <= end
}

func (r *record) parseText(data []byte) bool {
	r.text = []string{}
	for len(data) > 0 {
		n := int(data[0])
		if n >= len(data) {
			return false
		}
		if n > 0 && len(r.text) < maxStrings {
			r.text = append(r.text, string(data[1:1+n]))
		}
		data = data[1+n:]
	}
	return true
}

// pairs splits the strings of a TXT record: "key=value", where a key alone has
// no value, keys are compared without case and the first one counts.
func pairs(text []string) map[string]string {
	m := make(map[string]string, len(text))
	for _, s := range text {
		key, value, _ := strings.Cut(s, "=")
		key = strings.ToLower(key)
		if _, twice := m[key]; key != "" && !twice {
			m[key] = value
		}
	}
	return m
}

// A question asks for the records of one type that a name has.
type question struct {
	name string
	kind uint16
}

// pack writes questions as packets that are small enough for any network.
func pack(questions []question) [][]byte {
	var packets [][]byte
	for len(questions) > 0 {
		n := min(questionsPerPacket, len(questions))
		m := new(dns.Msg)
		for _, q := range questions[:n] {
			m.Question = append(m.Question, dns.Question{Name: q.name, Qtype: q.kind, Qclass: dns.ClassINET})
		}
		m.Compress = true
		if b, err := m.Pack(); err == nil {
			packets = append(packets, b)
		}
		questions = questions[n:]
	}
	return packets
}
