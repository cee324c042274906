package legacy_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// vector is what an Apple TV and a sender said to each other, and all that is
// behind it, recomputed.
func vector(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]string
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	v := map[string][]byte{}
	for key, value := range raw {
		b, err := hex.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		v[key] = b
	}
	return v
}

func pin(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

func random(parts ...[]byte) io.Reader { return bytes.NewReader(bytes.Join(parts, nil)) }

// script answers with bodies in their order, and keeps what was asked.
type script struct {
	answers [][]byte
	asked   []rtsp.Request
}

func (s *script) post(_ context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
	n := len(s.asked)
	s.asked = append(s.asked, rtsp.Request{URI: path, Header: header, Body: body})
	return rtsp.Response{Code: 200, Body: s.answers[n]}, nil
}

func list(t testing.TB, d plist.Dict) []byte {
	t.Helper()
	b, err := plist.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSetupIsAsAnAppleTVDidIt(t *testing.T) {
	v := vector(t)
	s := &script{answers: [][]byte{nil,
		list(t, plist.Dict{"pk": v["B"], "salt": v["salt"]}),
		list(t, plist.Dict{"proof": v["M2"]}),
		list(t, plist.Dict{"epk": v["server_epk"], "authTag": v["server_authTag"]}),
	}}
	c := legacy.Controller{Post: s.post, Rand: random(v["identifier"], v["seed"], v["seed"])}
	got, err := c.Setup(t.Context(), pin("2271"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "75FBEEC773CFC563:" + strings.ToUpper(hex.EncodeToString(v["seed"])); got.String() != want {
		t.Errorf("credentials: got %s, want %s", got, want)
	}
	if !bytes.Equal(got.ReceiverKey, v["server_public"]) {
		t.Errorf("its key: got %x, want %x", got.ReceiverKey, v["server_public"])
	}
	for n, want := range []plist.Dict{
		1: {"method": []byte("pin"), "user": []byte("75FBEEC773CFC563")},
		2: {"pk": v["A"], "proof": v["M1"]},
		3: {"epk": v["epk"], "authTag": v["authTag"]},
	} {
		if want == nil {
			continue
		}
		said, err := plist.UnmarshalDict(s.asked[n].Body)
		if err != nil {
			t.Fatal(err)
		}
		for key := range want {
			b := said.Bytes(key)
			if b == nil {
				b = []byte(said.Text(key))
			}
			if !bytes.Equal(b, want.Bytes(key)) {
				t.Errorf("request %d: %s: got %x, want %x", n, key, b, want[key])
			}
		}
	}
}

func TestVerifyIsAsAnAppleTVDidIt(t *testing.T) {
	v := vector(t)
	s := &script{answers: [][]byte{append(bytes.Clone(v["server_x"]), v["server_encrypted"]...), nil}}
	c := legacy.Controller{Post: s.post, Rand: random(v["seed"])}
	credentials := legacy.Credentials{ID: "75FBEEC773CFC563", Seed: v["seed"], ReceiverKey: v["server_public"]}
	if err := c.Verify(t.Context(), credentials); err != nil {
		t.Fatal(err)
	}
	for n, want := range [][]byte{v["request1"], v["request2"]} {
		if got := s.asked[n].Body; !bytes.Equal(got, want) {
			t.Errorf("request %d: got %x, want %x", n+1, got, want)
		}
	}
}

// to is a Post to an accessory.
func to(p *legacy.Peer) pairing.Post {
	return func(_ context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
		resp, ok := p.Answer(rtsp.Request{Method: "POST", URI: path, Header: header, Body: body})
		if !ok {
			resp.Code = 404
		}
		return resp, nil
	}
}

func TestPairedOnceAndVerifiedAlways(t *testing.T) {
	var shown string
	a := legacy.NewAccessory(legacy.AccessoryConfig{Show: func(pin string) { shown = pin }})
	credentials, err := legacy.Controller{Post: to(a.Connect()), Name: "Bridge"}.Setup(t.Context(),
		func(context.Context) (string, error) { return shown, nil })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p := a.Connect()
		if err := (legacy.Controller{Post: to(p)}).Verify(t.Context(), credentials); err != nil || !p.Verified() {
			t.Errorf("got %v, verified %v", err, p.Verified())
		}
	}
	written, err := legacy.ParseCredentials(credentials.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := (legacy.Controller{Post: to(a.Connect())}).Verify(t.Context(), written); err != nil {
		t.Errorf("credentials without its key: %v", err)
	}
	a.Forget()
	if err := (legacy.Controller{Post: to(a.Connect())}).Verify(t.Context(), credentials); !errors.Is(err, pairing.Because(pairing.Forgotten)) {
		t.Errorf("forgotten: got %v", err)
	}
}

func TestWhatIsWrongIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		accessory legacy.AccessoryConfig
		want      pairing.Reason
	}{
		"another PIN":       {legacy.AccessoryConfig{PIN: "4321"}, pairing.WrongSecret},
		"a wrong proof":     {legacy.AccessoryConfig{PIN: "1234", WrongProof: true}, pairing.Imposter},
		"a wrong signature": {legacy.AccessoryConfig{PIN: "1234", WrongSignature: true}, pairing.Imposter},
		"HTTP with UxPlay":  {legacy.AccessoryConfig{PIN: "1234", EmptyAnswers: true}, pairing.NotSpoken},
	} {
		a := legacy.NewAccessory(c.accessory)
		credentials, err := legacy.Controller{Post: to(a.Connect())}.Setup(t.Context(), pin("1234"))
		if err == nil {
			err = legacy.Controller{Post: to(a.Connect())}.Verify(t.Context(), credentials)
		}
		if !errors.Is(err, pairing.Because(c.want)) {
			t.Errorf("%s: got %v, want reason %d", name, err, c.want)
		}
	}
}

func TestProofsAreMadeLongForWhoWantsThemSo(t *testing.T) {
	a := legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234", LongProofs: true})
	if _, err := (legacy.Controller{Post: to(a.Connect())}).Setup(t.Context(), pin("1234")); err != nil {
		t.Errorf("right PIN: %v", err)
	}
	if _, err := (legacy.Controller{Post: to(a.Connect())}).Setup(t.Context(), pin("4321")); !errors.Is(err, pairing.Because(pairing.WrongSecret)) {
		t.Errorf("wrong PIN: got %v", err)
	}
}

func TestAnotherDeviceIsNotTrusted(t *testing.T) {
	mine := legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234"})
	credentials, err := legacy.Controller{Post: to(mine.Connect())}.Setup(t.Context(), pin("1234"))
	if err != nil {
		t.Fatal(err)
	}
	another := legacy.NewAccessory(legacy.AccessoryConfig{})
	v := vector(t)
	another.Learn(v["public"])
	credentials.Seed = v["seed"]
	err = legacy.Controller{Post: to(another.Connect())}.Verify(t.Context(), credentials)
	if !errors.Is(err, pairing.Because(pairing.Imposter)) {
		t.Errorf("got %v, want Imposter", err)
	}
}

// hostile pairs and verifies with an accessory whose nth answer is replaced.
func hostile(t *testing.T, at int, answer []byte) {
	t.Helper()
	a := legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234"})
	n := 0
	evil := func(p *legacy.Peer) pairing.Post {
		good := to(p)
		return func(ctx context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
			resp, err := good(ctx, path, header, body)
			if path != "/pair-pin-start" {
				if n == at {
					resp.Body = answer
				}
				n++
			}
			return resp, err
		}
	}
	credentials, err := legacy.Controller{Post: evil(a.Connect())}.Setup(t.Context(), pin("1234"))
	if err == nil && at < 3 {
		t.Errorf("answer %d is %.20x: got credentials", at, answer)
	}
	if err != nil {
		return
	}
	if err := (legacy.Controller{Post: evil(a.Connect())}).Verify(t.Context(), credentials); err == nil {
		t.Errorf("answer %d is %.20x: it was believed", at, answer)
	}
}

func TestHostileAnswersAreErrors(t *testing.T) {
	for _, answer := range [][]byte{
		nil, {1}, make([]byte, 96), make([]byte, 64<<10), list(t, plist.Dict{}), list(t, plist.Dict{"pk": "text", "salt": 1}),
		list(t, plist.Dict{"pk": make([]byte, 256), "proof": []byte{}, "epk": []byte{1}, "authTag": []byte{}}),
	} {
		for at := range 4 {
			hostile(t, at, answer)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	v := vector(f)
	for at := range uint8(4) {
		f.Add(at, list(f, plist.Dict{"pk": v["B"], "salt": v["salt"]}))
		f.Add(at, append(bytes.Clone(v["server_x"]), v["server_encrypted"]...))
	}
	f.Fuzz(func(t *testing.T, at uint8, answer []byte) { hostile(t, int(at%4), answer) })
}

func TestCredentialsOfOthersAreUnderstood(t *testing.T) {
	const example = "D9B75D737BE2F0F1:6A26D8EB6F4AE2408757D5CA5FF9C37E96BEBB22C632426C4A02AD4FA895A85B"
	for _, s := range []string{example, strings.ToLower(example), " " + example + "\n"} {
		c, err := legacy.ParseCredentials(s)
		if err != nil || c.String() != example {
			t.Errorf("%q: got %s, %v", s, c, err)
		}
	}
	for _, s := range []string{"", ":", example[:16], example[1:], example + "00", example + ":", "x" + example[1:], example[:70]} {
		if _, err := legacy.ParseCredentials(s); !errors.Is(err, legacy.ErrCredentials) {
			t.Errorf("%q: got %v, want ErrCredentials", s, err)
		}
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add("D9B75D737BE2F0F1:6A26D8EB6F4AE2408757D5CA5FF9C37E96BEBB22C632426C4A02AD4FA895A85B")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := legacy.ParseCredentials(s)
		if err != nil {
			return
		}
		if again, err := legacy.ParseCredentials(c.String()); err != nil || again.String() != c.String() {
			t.Errorf("%q: got %s, then %s, %v", s, c, again, err)
		}
	})
}
