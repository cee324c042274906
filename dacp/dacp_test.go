package dacp_test

import (
	"testing"

	"airplay2mqtt/dacp"
)

func TestAnIDThatReceiversCannotFindIsRefused(t *testing.T) {
	for _, id := range []string{"0123456789ABCDEF", "9c1f3a7702b4d655", "9C1F", "9C1F3A7702B4D655A", "hello", "+C1F3A7702B4D655"} {
		if _, err := dacp.New(dacp.Config{ID: id}); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
	s, err := dacp.New(dacp.Config{ID: "9C1F3A7702B4D655"})
	if err != nil || s.Instance() != "iTunes_Ctrl_9C1F3A7702B4D655" {
		t.Errorf("got %v and %v", s, err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /ctrl-int/1/playpause HTTP/1.1\r\nHost: 192.168.1.10:49160\r\nActive-Remote: 2871405513\r\n\r\n",
		"get /ctrl-int/1/setproperty?dmcp.device-volume=-24.3012&dmcp.device-busy=1 http/1.0\r\n\r\n",
		"POST /ctrl-int/1/setproperty?dmcp.volume=%34%35 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
		"GET * HTTP/1.1\r\n\r\n", "\r\n", "GET /ctrl-int/1/setproperty?=&&=&dmcp.volume HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, r := range dacp.ReadRequests(b) {
			if r.Kind == "" || r.Level < 0 || r.Level > 1 || r.Level != r.Level {
				t.Errorf("got %+v", r)
			}
		}
	})
}
