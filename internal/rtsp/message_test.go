package rtsp_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"airplay2mqtt/internal/rtsp"

	"github.com/google/go-cmp/cmp"
)

var responses = []struct {
	name string
	text string
	want rtsp.Response
}{
	{"plain", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
		rtsp.Response{Code: 200, Reason: "OK", Header: rtsp.Header{{"CSeq", "1"}}}},
	{"with a body", "RTSP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbodyrest",
		rtsp.Response{Code: 200, Reason: "OK", Header: rtsp.Header{{"Content-Length", "4"}}, Body: []byte("body")}},
	{"HTTP, no reason, lower case, bare line feeds", "HTTP/1.1 453\ncseq:2\n\n",
		rtsp.Response{Code: 453, Header: rtsp.Header{{"cseq", "2"}}}},
	{"reason of many words, folded header", "RTSP/1.0 453 Not Enough Bandwidth\r\nTransport: a;\r\n\tb=1\r\n\r\n",
		rtsp.Response{Code: 453, Reason: "Not Enough Bandwidth", Header: rtsp.Header{{"Transport", "a; b=1"}}}},
	{"empty lines before, nothing after", "\r\n\r\nRTSP/1.0 200 OK\r\n\r\n",
		rtsp.Response{Code: 200, Reason: "OK"}},
	{"colons in a value", "RTSP/1.0 200 OK\r\nX: a: b\r\n\r\n",
		rtsp.Response{Code: 200, Reason: "OK", Header: rtsp.Header{{"X", "a: b"}}}},
}

func TestResponsesAreRead(t *testing.T) {
	for _, c := range responses {
		for _, r := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text))} {
			got, err := rtsp.ReadResponse(bufio.NewReader(r))
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	}
}

func TestWhatIsNoResponse(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"not the protocol", "SIP/2.0 200 OK\r\n\r\n"},
		{"no code", "RTSP/1.0 OK\r\n\r\n"},
		{"code out of range", "RTSP/1.0 99 Low\r\n\r\n"},
		{"no colon", "RTSP/1.0 200 OK\r\nnonsense\r\n\r\n"},
		{"negative length", "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n"},
		{"huge length", "RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n"},
		{"long line", "RTSP/1.0 200 OK\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n"},
		{"many lines", "RTSP/1.0 200 OK\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n"},
		{"nothing but lines", strings.Repeat("\r\n", 100)},
	} {
		if _, err := rtsp.ReadResponse(bufio.NewReader(strings.NewReader(c.text))); !errors.Is(err, rtsp.ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", c.name, err)
		}
	}
	for _, text := range []string{"RTSP/1.0 2", "RTSP/1.0 200 OK\r\nX: y", "RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nabc"} {
		if _, err := rtsp.ReadResponse(bufio.NewReader(strings.NewReader(text))); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: got %v, want io.ErrUnexpectedEOF", text, err)
		}
	}
	if _, err := rtsp.ReadResponse(bufio.NewReader(strings.NewReader(""))); err != io.EOF {
		t.Errorf("nothing: got %v, want io.EOF", err)
	}
}

func TestRequestThereAndBack(t *testing.T) {
	for _, protocol := range []string{rtsp.RTSP, rtsp.HTTP} {
		want := rtsp.Request{Method: "ANNOUNCE", URI: "rtsp://10.0.0.1/7", Protocol: protocol,
			Header: rtsp.Header{{"CSeq", "1"}, {"X-Name", "a b"}, {"Content-Length", "4"}}, Body: []byte("v=0\n")}
		got, err := rtsp.ReadRequest(bufio.NewReader(bytes.NewReader(want.AppendTo(nil))))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestAnswersAreInTheProtocolOfTheQuestion(t *testing.T) {
	r := rtsp.Response{Code: 200, Reason: "OK", Protocol: rtsp.HTTP}
	if got := string(r.AppendTo(nil)); got != "HTTP/1.1 200 OK\r\n\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestValuesStayOnTheirLine(t *testing.T) {
	r := rtsp.Request{Method: "OPTIONS", URI: "*\r\nX: y", Header: rtsp.Header{{"Name", "a\r\nCSeq: 9"}, {"Latin", "\xe9\n\xe8"}}}
	const want = "OPTIONS *  X: y RTSP/1.0\r\nName: a  CSeq: 9\r\nLatin: \xe9 \xe8\r\n\r\n"
	if got := string(r.AppendTo(nil)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzReadResponse(f *testing.F) {
	for _, c := range responses {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := rtsp.ReadResponse(bufio.NewReader(bytes.NewReader(b)))
		if err != nil || len(b) > 4<<10 { // a line near the limit may be beyond it when it is written again
			return
		}
		again, err := rtsp.ReadResponse(bufio.NewReader(bytes.NewReader(r.AppendTo(nil))))
		if err != nil || again.Code != r.Code || !bytes.Equal(again.Body, r.Body) {
			t.Errorf("got %+v, %v, want %+v", again, err, r)
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("SETUP rtsp://10.0.0.1/7 RTSP/1.0\r\nCSeq: 4\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rtsp.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	})
}
