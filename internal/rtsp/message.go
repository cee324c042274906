package rtsp

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// What is read of a message at most.
const (
	maxLine   = 8 << 10
	maxFields = 100
	maxBody   = 4 << 20
)

// ErrMalformed is wrapped by the errors for what is no RTSP message.
var ErrMalformed = errors.New("malformed message")

// A Field is one line of a header.
type Field struct{ Name, Value string }

// A Header is the fields of a message in their order. Names are compared
// without regard to case.
type Header []Field

// Get returns the value of the first field of that name, or "".
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// The protocols of messages. Receivers want requests for films as HTTP, on the
// same connection as others.
const (
	RTSP = ""
	HTTP = "HTTP/1.1"
)

// A Request is what a sender asks.
type Request struct {
	Method, URI string
	Header      Header
	Body        []byte
	Protocol    string // RTSP or HTTP
}

// AppendTo appends the request. Content-Length comes by itself.
func (r Request) AppendTo(b []byte) []byte {
	b = append(b, clean(r.Method)+" "+clean(r.URI)+" "+cmp.Or(r.Protocol, "RTSP/1.0")+"\r\n"...)
	return appendRest(b, r.Header, r.Body)
}

// A Response is what a receiver answers.
type Response struct {
	Code   int
	Reason string
	Header Header
	Body   []byte
	// Protocol is RTSP or HTTP where it is written. What was read leaves it out.
	Protocol string
}

// AppendTo appends the response. Content-Length comes by itself.
func (r Response) AppendTo(b []byte) []byte {
	b = fmt.Appendf(b, "%s %d %s\r\n", cmp.Or(r.Protocol, "RTSP/1.0"), r.Code, clean(r.Reason))
	return appendRest(b, r.Header, r.Body)
}

func appendRest(b []byte, h Header, body []byte) []byte {
	for _, f := range h {
		b = append(b, clean(f.Name)+": "+clean(f.Value)+"\r\n"...)
	}
	if len(body) > 0 && h.Get("Content-Length") == "" {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// clean keeps a value on its line. Bytes that are no UTF-8 stay as they are.
func clean(s string) string {
	if strings.IndexFunc(s, control) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if control(rune(c)) {
			b[i] = ' '
		}
	}
	return string(b)
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// ReadRequest reads the next request. At the orderly end it returns io.EOF.
func ReadRequest(br *bufio.Reader) (Request, error) {
	line, err := firstLine(br)
	if err != nil {
		return Request{}, err
	}
	words := strings.Fields(line)
	if len(words) != 3 || !isProtocol(words[2]) {
		return Request{}, fmt.Errorf("%w: request line %.60q", ErrMalformed, line)
	}
	r := Request{Method: words[0], URI: words[1]}
	if strings.HasPrefix(words[2], "HTTP/") {
		r.Protocol = HTTP
	}
	r.Header, r.Body, err = readRest(br)
	return r, err
}

// ReadResponse reads the next response. At the orderly end it returns io.EOF.
func ReadResponse(br *bufio.Reader) (Response, error) {
	line, err := firstLine(br)
	if err != nil {
		return Response{}, err
	}
	protocol, rest, _ := strings.Cut(line, " ")
	digits, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	code, err := strconv.Atoi(digits)
	if err != nil || code < 100 || code > 999 || !isProtocol(protocol) {
		return Response{}, fmt.Errorf("%w: status line %.60q", ErrMalformed, line)
	}
	r := Response{Code: code, Reason: strings.TrimSpace(reason)}
	r.Header, r.Body, err = readRest(br)
	return r, err
}

// isProtocol takes HTTP too, with which some receivers answer.
func isProtocol(s string) bool {
	return strings.HasPrefix(s, "RTSP/") || strings.HasPrefix(s, "HTTP/")
}

// firstLine reads the first line that is not empty.
func firstLine(br *bufio.Reader) (string, error) {
	for range 8 {
		line, err := readLine(br)
		if err != nil || line != "" {
			return line, err
		}
	}
	return "", fmt.Errorf("%w: nothing but empty lines", ErrMalformed)
}

// readRest reads header and body.
func readRest(br *bufio.Reader) (Header, []byte, error) {
	h, err := readHeader(br)
	if err != nil {
		return nil, nil, unexpected(err)
	}
	length := h.Get("Content-Length")
	if length == "" {
		return h, nil, nil // shairport-sync 3 and 4 leave it out
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > maxBody {
		return nil, nil, fmt.Errorf("%w: Content-Length %.20q", ErrMalformed, length)
	}
	if n == 0 {
		return h, nil, nil
	}
	var body bytes.Buffer // grows with what comes, not with what is promised
	if _, err := io.CopyN(&body, br, int64(n)); err != nil {
		return nil, nil, unexpected(err)
	}
	return h, body.Bytes(), nil
}

func readHeader(br *bufio.Reader) (Header, error) {
	var h Header
	for lines := 0; ; lines++ {
		line, err := readLine(br)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return h, nil
		}
		if lines == maxFields {
			return nil, fmt.Errorf("%w: more than %d header lines", ErrMalformed, maxFields)
		}
		if line[0] == ' ' || line[0] == '\t' { // folded
			if len(h) > 0 {
				h[len(h)-1].Value += " " + strings.TrimSpace(line)
			}
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%w: header line %.60q", ErrMalformed, line)
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
}

// readLine reads a line without its end, which is CRLF or LF.
func readLine(br *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return "", fmt.Errorf("%w: line of more than %d bytes", ErrMalformed, maxLine)
		}
		if err == nil {
			return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
		}
		if err != bufio.ErrBufferFull {
			if len(line) > 0 {
				err = unexpected(err)
			}
			return "", err
		}
	}
}

// unexpected says that an end came within a message.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
