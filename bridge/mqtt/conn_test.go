package mqtt_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"airplay2mqtt/bridge/mqtt"
)

// connack is how every broker begins.
const connack = "\x20\x02\x00\x00"

func TestPacketsPassUnchangedUnlessTheirPayloadIsTooLarge(t *testing.T) {
	const small = "\x30\x05\x00\x01axy"           // topic a, payload xy
	const fits = "\x32\x0a\x00\x01a\x00\x01abcde" // with a packet id, longer than max, its payload is not
	const large = "\x32\x0b\x00\x01a\x00\x01abcdef"
	const ping = "\xd0\x00"
	for name, in := range map[string]string{
		"small": small, "fits": fits, "ping": ping, "all": small + ping + fits + small,
	} {
		r, _ := mqtt.Trim(iotest.OneByteReader(bytes.NewReader([]byte(connack+in))), 5)
		got, err := io.ReadAll(r)
		if err != nil || string(got) != connack+in {
			t.Errorf("%s: %q, %v; want %q", name, got, err, connack+in)
		}
	}
	r, trimmed := mqtt.Trim(bytes.NewReader([]byte(connack+large+small)), 5)
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	const head = connack + "\x32\x1d\x00\x01a\x00\x01" // 5 + 24 bytes follow
	if len(got) != len(head)+24+len(small) || string(got[:len(head)]) != head || string(got[len(head)+24:]) != small {
		t.Fatalf("got %q", got)
	}
	if size, ok := trimmed(got[len(head) : len(head)+24]); !ok || size != 6 {
		t.Errorf("size %d, %v; want 6", size, ok)
	}
	if _, ok := trimmed(make([]byte, 24)); ok {
		t.Error("somebody else's payload is taken for a mark")
	}
}

func TestWhatIsNoMQTTEndsTheReading(t *testing.T) {
	for _, in := range []string{
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		connack + "\x30\xff\xff\xff\xff\x01",       // a length of five bytes
		connack + "\x30\x80\x01\xff\xff" + connack, // a topic longer than its packet
	} {
		r, _ := mqtt.Trim(bytes.NewReader([]byte(in)), 5)
		if got, err := io.ReadAll(r); err == nil {
			t.Errorf("%q was read as %q", in, got)
		}
	}
}

func FuzzTrim(f *testing.F) {
	f.Add([]byte("\x30\x05\x00\x01axy\x32\x0b\x00\x01a\x00\x01abcdef"), uint8(5))
	f.Add([]byte("\x30\xff\xff\x7f\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, max uint8) {
		r, _ := mqtt.Trim(bytes.NewReader(append([]byte(connack), in...)), int(max))
		got, _ := io.ReadAll(r)
		if len(got) > len(connack)+len(in)+24*(1+len(in)/2) {
			t.Errorf("%d bytes became %d", len(in), len(got))
		}
	})
}
