package srp_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"airplay2mqtt/internal/srp"
)

// vectors are exchanges with everything that is random in them fixed: from the
// HAP document, from an Apple TV, and some whose numbers are short, recomputed
// by two independent programs.
func vectors(t testing.TB) map[string]map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]map[string]string
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]byte{}
	for name, v := range raw {
		all[name] = map[string][]byte{}
		for key, value := range v {
			b, err := hex.DecodeString(value)
			if err != nil || key == "user" || key == "secret" {
				b = []byte(value)
			}
			all[name][key] = b
		}
	}
	return all
}

func profile(name string) *srp.Profile {
	if name == "legacy" {
		return srp.Legacy
	}
	return srp.HAP
}

func TestVectorsComeOut(t *testing.T) {
	for name, v := range vectors(t) {
		c, err := profile(name).NewClient(string(v["user"]), string(v["secret"]), bytes.NewReader(v["a"]))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.Public, v["A"]) {
			t.Errorf("%s: A: got %x, want %x", name, c.Public, v["A"])
		}
		proof, err := c.Answer(v["salt"], v["B"])
		if err != nil || !bytes.Equal(proof, v["M1"]) {
			t.Errorf("%s: M1: got %x, %v, want %x", name, proof, err, v["M1"])
		}
		if !bytes.Equal(c.Key, v["K"]) {
			t.Errorf("%s: K: got %x, want %x", name, c.Key, v["K"])
		}
		if err := c.Check(v["M2"]); err != nil {
			t.Errorf("%s: M2: %v", name, err)
		}
	}
}

func TestServerIsTheOtherHalf(t *testing.T) {
	for name, v := range vectors(t) {
		if v["b"] == nil {
			continue // of the Apple TV only what it sent is known
		}
		s, err := profile(name).NewServer(string(v["user"]), string(v["secret"]), v["salt"], bytes.NewReader(v["b"]))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Public, v["B"]) {
			t.Errorf("%s: B: got %x, want %x", name, s.Public, v["B"])
		}
		proof, err := s.Answer(v["A"], v["M1"])
		if err != nil || !bytes.Equal(proof, v["M2"]) || !bytes.Equal(s.Key, v["K"]) {
			t.Errorf("%s: M2: got %x, %v, want %x", name, proof, err, v["M2"])
		}
	}
}

func TestWrongSecretIsNoticedByBoth(t *testing.T) {
	for _, p := range []*srp.Profile{srp.HAP, srp.Legacy} {
		s, err := p.NewServer("user", "1234", []byte("sixteen of these"), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.NewClient("user", "1235", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := c.Answer(s.Salt, s.Public)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Answer(c.Public, proof); !errors.Is(err, srp.ErrProof) {
			t.Errorf("server: got %v, want ErrProof", err)
		}
		if err := c.Check(make([]byte, 64)); !errors.Is(err, srp.ErrProof) {
			t.Errorf("client: got %v, want ErrProof", err)
		}
		if err := c.Check(nil); !errors.Is(err, srp.ErrProof) {
			t.Errorf("no proof: got %v, want ErrProof", err)
		}
	}
}

// A number that is zero would make the secret known to everybody.
func TestNumbersThatGiveTheSecretAwayAreRefused(t *testing.T) {
	prime := vectors(t)["legacy"]["A"] // as long as the prime
	for name, b := range map[string][]byte{"nothing": nil, "zero": make([]byte, 256), "too long": append([]byte{1}, prime...)} {
		c, err := srp.Legacy.NewClient("user", "1234", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Answer(nil, b); !errors.Is(err, srp.ErrNumber) {
			t.Errorf("%s: got %v, want ErrNumber", name, err)
		}
		if err := c.Check(nil); err == nil {
			t.Errorf("%s: an empty proof was taken", name)
		}
	}
}

func BenchmarkClient(b *testing.B) {
	v := vectors(b)["pair_setup_1111"]
	for b.Loop() {
		c, err := srp.HAP.NewClient("Pair-Setup", "1111", bytes.NewReader(v["a"]))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Answer(v["salt"], v["B"]); err != nil {
			b.Fatal(err)
		}
	}
}
