package hap_test

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
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/rtsp"
)

// vectors are pairings with everything that is random in them fixed,
// recomputed by two independent programs.
func vectors(t testing.TB, name string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]map[string]string
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	v := map[string][]byte{}
	for key, value := range raw[name] {
		b, err := hex.DecodeString(value)
		if err != nil {
			b = []byte(value)
		}
		v[key] = b
	}
	return v
}

// to is a Post to an accessory; it also writes down what was said.
func to(p *hap.Peer, log *[]rtsp.Request) pairing.Post {
	return func(_ context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
		req := rtsp.Request{Method: "POST", URI: path, Body: body,
			Header: append(rtsp.Header{{Name: "User-Agent", Value: pairing.UserAgent}}, header...)}
		if log != nil {
			*log = append(*log, req)
		}
		resp, ok := p.Answer(req)
		if !ok {
			return rtsp.Response{Code: 404}, nil
		}
		return resp, nil
	}
}

func pin(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

func random(parts ...[]byte) io.Reader { return bytes.NewReader(bytes.Join(parts, nil)) }

func TestTransientPairingIsAsInTheVector(t *testing.T) {
	v := vectors(t, "transient_3939")
	p := hap.NewAccessory(hap.AccessoryConfig{Rand: random(v["salt"], v["b"])}).Connect()
	var said []rtsp.Request
	keys, err := hap.Controller{Post: to(p, &said), Rand: random(v["a"])}.Transient(t.Context(), hap.NoPIN)
	if err != nil {
		t.Fatal(err)
	}
	if got := said[0].Body; !bytes.Equal(got, v["m1_tlv"]) {
		t.Errorf("M1: got %x, want %x", got, v["m1_tlv"])
	}
	if got := said[1].Body; !bytes.HasPrefix(got, v["m3_tlv_head"]) || !bytes.HasSuffix(got, v["M1"]) {
		t.Errorf("M3: got %x", got)
	}
	if got := said[0].Header.Get("X-Apple-HKP"); got != "4" {
		t.Errorf("X-Apple-HKP: got %q, want 4", got)
	}
	for name, got := range map[string][]byte{
		"K": keys.Secret, "control_write": keys.Control().Write, "control_read": keys.Control().Read,
		"events_read": keys.Events().Write, "events_write": keys.Events().Read,
		"datastream_out_seed1": keys.Data(1).Write, "datastream_in_seed1": keys.Data(1).Read, "shk": keys.Audio(),
	} {
		if !bytes.Equal(got, v[name]) {
			t.Errorf("%s: got %x, want %x", name, got, v[name])
		}
	}
	if its, ok := p.Finished(); !ok || !bytes.Equal(its.Secret, keys.Secret) {
		t.Error("the accessory has other keys")
	}
}

// uuid is the bytes of a UUID.
func uuid(t *testing.T, s []byte) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(string(s), "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSetupAndVerifyAreAsInTheVectors(t *testing.T) {
	s, v := vectors(t, "pair_setup_1111"), vectors(t, "pair_verify")
	a := hap.NewAccessory(hap.AccessoryConfig{ID: string(s["accessory_id"]), Seed: s["accessory_ltsk"], PIN: "1111",
		Rand: random(s["salt"], s["b"], v["accessory_eph_sk"])})
	p := a.Connect()
	var said []rtsp.Request
	c := hap.Controller{Post: to(p, &said),
		Rand: random(s["a"], s["controller_ltsk"], uuid(t, s["controller_id"]), v["controller_eph_sk"])}
	credentials, err := c.Setup(t.Context(), pin("1111"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := credentials.String(), string(s["credentials"]); got != want {
		t.Errorf("credentials: got %s, want %s", got, want)
	}
	if got := said[3].Body; !bytes.HasSuffix(got, s["m5_encrypted"]) {
		t.Errorf("M5: got %x, want %x", got, s["m5_encrypted"])
	}
	keys, err := c.Verify(t.Context(), credentials)
	if err != nil {
		t.Fatal(err)
	}
	if got := said[4].Body; !bytes.Equal(got, v["m1_tlv"]) {
		t.Errorf("verify M1: got %x, want %x", got, v["m1_tlv"])
	}
	if got := said[5].Body; !bytes.Equal(got, v["m3_tlv"]) {
		t.Errorf("verify M3: got %x, want %x", got, v["m3_tlv"])
	}
	for name, got := range map[string][]byte{
		"shared": keys.Secret, "control_write": keys.Control().Write, "control_read": keys.Control().Read,
		"events_read": keys.Events().Write, "events_write": keys.Events().Read,
	} {
		if !bytes.Equal(got, v[name]) {
			t.Errorf("%s: got %x, want %x", name, got, v[name])
		}
	}
	if its, ok := p.Finished(); !ok || !bytes.Equal(its.Secret, keys.Secret) {
		t.Error("the accessory has other keys")
	}
}

func TestPINIsShownBeforeItIsAskedFor(t *testing.T) {
	var shown string
	a := hap.NewAccessory(hap.AccessoryConfig{Show: func(pin string) { shown = pin }, NeedsUserAgent: true, NeedsClientName: true})
	var said []rtsp.Request
	c := hap.Controller{Post: to(a.Connect(), &said), Name: "The bridge in the cupboard under the stairs"}
	credentials, err := c.Setup(t.Context(), func(context.Context) (string, error) {
		if len(said) != 2 {
			t.Errorf("%d requests before the PIN was asked for, want pin-start and M1", len(said))
		}
		return shown, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Paired()) != 1 {
		t.Errorf("paired with %d, want 1", len(a.Paired()))
	}
	if _, err := (hap.Controller{Post: to(a.Connect(), nil)}).Verify(t.Context(), credentials); err != nil {
		t.Errorf("on another connection: %v", err)
	}
	a.Forget()
	if _, err := (hap.Controller{Post: to(a.Connect(), nil)}).Verify(t.Context(), credentials); !errors.Is(err, pairing.Because(pairing.Forgotten)) {
		t.Errorf("forgotten: got %v", err)
	}
}

func TestRefusalsAreToldInWords(t *testing.T) {
	ctx := t.Context()
	transient := func(c hap.Controller) error { _, err := c.Transient(ctx, hap.NoPIN); return err }
	setup := func(c hap.Controller) error { _, err := c.Setup(ctx, pin("1234")); return err }
	failing := func(step string, code byte) hap.AccessoryConfig {
		return hap.AccessoryConfig{PIN: "1234", Errors: map[string]byte{step: code}, BackOff: 300 * time.Second}
	}
	for name, c := range map[string]struct {
		accessory hap.AccessoryConfig
		do        func(hap.Controller) error
		want      pairing.Reason
		says      string
	}{
		"an Apple TV takes no transient pairing": {hap.AccessoryConfig{RefusesTransient: true}, transient, pairing.PINNeeded, "PIN"},
		"another password":                       {hap.AccessoryConfig{Secret: "geheim"}, transient, pairing.WrongSecret, "wrong"},
		"another PIN":                            {hap.AccessoryConfig{PIN: "4321"}, setup, pairing.WrongSecret, "wrong"},
		"an imposter with a wrong proof":         {hap.AccessoryConfig{PIN: "1234", WrongProof: true}, setup, pairing.Imposter, "prove"},
		"an imposter with a wrong signature":     {hap.AccessoryConfig{PIN: "1234", WrongSignature: true}, setup, pairing.Imposter, "signature"},
		"no reason":                              {failing("pair-setup M2", 1), setup, pairing.Refused, "without a reason"},
		"back off":                               {failing("pair-setup M2", 3), setup, pairing.BackOff, "5m0s"},
		"full":                                   {failing("pair-setup M2", 4), setup, pairing.MaxPeers, "as many senders"},
		"too many tries":                         {failing("pair-setup M4", 5), setup, pairing.MaxTries, "too many wrong PINs"},
		"not now":                                {failing("pair-setup M2", 6), setup, pairing.Unavailable, "at the moment"},
		"busy":                                   {failing("pair-setup M2", 7), setup, pairing.Busy, "another sender"},
		"an error nobody knows":                  {failing("pair-setup M6", 77), setup, pairing.Refused, "pair-setup M6"},
	} {
		err := c.do(hap.Controller{Post: to(hap.NewAccessory(c.accessory).Connect(), nil)})
		if !errors.Is(err, pairing.Because(c.want)) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want reason %d and %q", name, err, c.want, c.says)
		}
	}
}

func TestWithoutUserAgentItIsForbidden(t *testing.T) {
	p := hap.NewAccessory(hap.AccessoryConfig{NeedsUserAgent: true}).Connect()
	post := func(_ context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
		resp, _ := p.Answer(rtsp.Request{Method: "POST", URI: path, Header: header, Body: body})
		return resp, nil
	}
	if _, err := (hap.Controller{Post: post}).Transient(t.Context(), hap.NoPIN); !errors.Is(err, pairing.Because(pairing.Forbidden)) {
		t.Errorf("got %v, want Forbidden", err)
	}
}

func TestADeviceThatIsAnotherIsNotTrusted(t *testing.T) {
	mine := hap.NewAccessory(hap.AccessoryConfig{PIN: "1234"})
	credentials, err := hap.Controller{Post: to(mine.Connect(), nil)}.Setup(t.Context(), pin("1234"))
	if err != nil {
		t.Fatal(err)
	}
	another := hap.NewAccessory(hap.AccessoryConfig{})
	_, err = hap.Controller{Post: to(another.Connect(), nil)}.Verify(t.Context(), credentials)
	if !errors.Is(err, pairing.Because(pairing.Imposter)) || !strings.Contains(err.Error(), "another key") {
		t.Errorf("got %v, want Imposter", err)
	}
}

// Whatever is answered, at whichever step, ends in an error and never in keys.
func TestHostileAnswersAreErrors(t *testing.T) {
	for _, answer := range [][]byte{
		nil, {6}, {6, 1, 2}, {6, 1, 9, 3, 1, 5}, {6, 1, 2, 2, 0, 3, 0}, make([]byte, 64<<10),
		append([]byte{6, 1, 2, 3, 255}, make([]byte, 255)...), {7, 0}, {7, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1},
	} {
		for at := range 4 {
			hostile(t, at, answer)
		}
	}
}

// hostile pairs with an accessory whose nth answer is replaced.
func hostile(t *testing.T, at int, answer []byte) {
	t.Helper()
	a := hap.NewAccessory(hap.AccessoryConfig{PIN: "1234"})
	n := 0
	evil := func(p *hap.Peer) pairing.Post {
		good := to(p, nil)
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
	credentials, err := hap.Controller{Post: evil(a.Connect())}.Setup(t.Context(), pin("1234"))
	if err == nil && at < 3 {
		t.Errorf("answer %d is %.20x: got credentials %v", at, answer, credentials.ReceiverID)
	}
	if err != nil {
		return
	}
	if _, err := (hap.Controller{Post: evil(a.Connect())}).Verify(t.Context(), credentials); err == nil {
		t.Errorf("answer %d is %.20x: got keys", at, answer)
	}
}

func FuzzAnswers(f *testing.F) {
	v := vectors(f, "pair_verify")
	for at := range uint8(5) {
		f.Add(at, v["m2_tlv"])
		f.Add(at, []byte{6, 1, 2, 7, 1, 3, 8, 2, 44, 1})
	}
	f.Fuzz(func(t *testing.T, at uint8, answer []byte) { hostile(t, int(at%5), answer) })
}

func TestCredentialsAreThoseOfPyatv(t *testing.T) {
	s := vectors(t, "pair_setup_1111")
	want := hap.Credentials{ReceiverKey: s["accessory_ltpk"], Seed: s["controller_ltsk"],
		ReceiverID: string(s["accessory_id"]), ID: string(s["controller_id"])}
	got, err := hap.ParseCredentials(string(s["credentials"]) + "\n")
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v, want -, got +:\n%s", err, d)
	}
	if got.String() != string(s["credentials"]) {
		t.Errorf("got %s, want %s", got, s["credentials"])
	}
}

func TestWrongCredentialsAreRefusedAndNotRepeated(t *testing.T) {
	good := string(vectors(t, "pair_setup_1111")["credentials"])
	fields := strings.Split(good, ":")
	for _, s := range []string{
		"", "a", good + ":00", strings.Join(fields[:3], ":"), "zz" + good[2:], good[2:],
		strings.Join([]string{fields[0], fields[1][2:], fields[2], fields[3]}, ":"),
		fields[0] + ":" + fields[1] + "::",
	} {
		_, err := hap.ParseCredentials(s)
		if !errors.Is(err, hap.ErrCredentials) || strings.Contains(err.Error(), fields[1][2:20]) {
			t.Errorf("%.20q: got %v", s, err)
		}
	}
	if _, err := (hap.Controller{}).Verify(t.Context(), hap.Credentials{}); !errors.Is(err, hap.ErrCredentials) {
		t.Errorf("no credentials: got %v", err)
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add(string(vectors(f, "pair_setup_1111")["credentials"]))
	f.Fuzz(func(t *testing.T, s string) {
		c, err := hap.ParseCredentials(s)
		if err != nil {
			return
		}
		again, err := hap.ParseCredentials(c.String())
		if d := cmp.Diff(c, again); err != nil || d != "" {
			t.Errorf("%v, want -, got +:\n%s", err, d)
		}
	})
}

// Of a pairing by PIN our own half may take 30 ms.
func BenchmarkSetup(b *testing.B) {
	a := hap.NewAccessory(hap.AccessoryConfig{PIN: "1234"})
	for b.Loop() {
		device := to(a.Connect(), nil)
		ours := hap.Controller{Post: func(ctx context.Context, path string, h rtsp.Header, body []byte) (rtsp.Response, error) {
			b.StopTimer() // what the device takes is not ours
			defer b.StartTimer()
			return device(ctx, path, h, body)
		}}
		if _, err := ours.Setup(b.Context(), pin("1234")); err != nil {
			b.Fatal(err)
		}
	}
}
