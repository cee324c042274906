package raop_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"image"
	"image/jpeg"
	"image/png"
	mathrand "math/rand"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/raop"
)

// ramp is the packet in which frame i is i, -i.
func ramp() []byte {
	pcm := make([]int16, 2*perPacket)
	for i := range perPacket {
		pcm[2*i], pcm[2*i+1] = int16(i), int16(-i)
	}
	return alac.AppendVerbatim(nil, pcm)
}

func TestPayloadsAreEncryptedAsReceiversDecrypt(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b := ramp()
	const session = "000102030405060708090a0b0c0d0e0f"
	sdp, err := raop.Encrypt(b, session, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", rand.Reader, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if got, want := hex.EncodeToString(sum[:]), "120bbac4ab0cf8c1d0a07f429d3bb145a22d33e05574658c6984ee274ab8a131"; got != want {
		t.Errorf("encrypted ramp: got %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(b[len(b)-8:]), "4a787d86bffd43c0"; got != want {
		t.Errorf("its end, of which 4 bytes are clear: got %s, want %s", got, want)
	}
	sealed, iv, ok := strings.Cut(strings.TrimPrefix(sdp, "a=rsaaeskey:"), "\r\na=aesiv:")
	if !ok || iv != "8PHy8/T19vf4+fr7/P3+/w\r\n" || len(sealed) != 342 {
		t.Fatalf("got %q", sdp)
	}
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rsa.DecryptOAEP(sha1.New(), nil, key, raw, nil)
	if err != nil || hex.EncodeToString(got) != session {
		t.Errorf("session key: got %x, %v, want %s", got, err, session)
	}
}

func TestAirportKey(t *testing.T) {
	key := raop.AirportKey()
	sum := sha256.Sum256(key.N.Bytes())
	if got, want := hex.EncodeToString(sum[:]), "bcab8f192eb454017f0cad661cb3da4b58ead76d09737eb8ad9dcd9a565791d0"; got != want || key.E != 65537 {
		t.Errorf("got %s, %d, want %s, 65537", got, key.E, want)
	}
}

func TestPCMPayload(t *testing.T) {
	sum := sha256.Sum256(raop.AppendPCM(nil, ramp()))
	if got, want := hex.EncodeToString(sum[:]), "2c13953ce7987089b72fc4e30fa3663f85053d22e0270a4d36956def4c17d7c0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDescriptions(t *testing.T) {
	const alacBody = "v=0\r\no=iTunes 2718281828 0 IN IP4 192.168.1.10\r\ns=iTunes\r\nc=IN IP4 192.168.1.50\r\nt=0 0\r\n" +
		"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 AppleLossless\r\na=fmtp:96 352 0 16 40 10 14 2 255 0 0 44100\r\n"
	keys := "a=rsaaeskey:" + strings.Repeat("x", 342) + "\r\na=aesiv:" + strings.Repeat("x", 22) + "\r\n"
	for _, c := range []struct {
		name string
		got  []byte
		want string
		size int
	}{
		{"clear", raop.Describe("192.168.1.10", "192.168.1.50", false, ""), alacBody, 182},
		{"with keys", raop.Describe("192.168.1.10", "192.168.1.50", false, keys), alacBody + keys, 570},
		{"PCM", raop.Describe("192.168.1.10", "192.168.1.50", true, ""), "", 135},
	} {
		if c.want != "" && string(c.got) != c.want || len(c.got) != c.size {
			t.Errorf("%s: got %d bytes, want %d:\n%s", c.name, len(c.got), c.size, c.got)
		}
	}
	six := string(raop.Describe("fe80::1%eth0", "fe80::2%eth0", false, ""))
	if !strings.Contains(six, "IN IP6 fe80::1\r\n") || !strings.Contains(six, "IN IP6 fe80::2\r\n") {
		t.Errorf("IPv6: got %s", six)
	}
	if got, want := raop.SessionURL("fe80::1%eth0"), "rtsp://[fe80::1]/7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestListings(t *testing.T) {
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{raop.DescribeTags(audio.Tags{Title: "Doorbell", Artist: "Home", Album: "Chimes"}),
			"6d6c6974000000336d696b6400000001026d696e6d00000008446f6f7262656c6c6173617200000004486f6d656173616c000000064368696d6573"},
		{raop.Listing("minm", "Ding", "asal", "", "asar", "Café"),
			"6d6c6974000000216d696e6d0000000444696e676173616c000000006173617200000005436166c3a9"},
		{raop.DescribeTags(audio.Tags{Genre: "x", Year: 1999, Track: 7, Duration: time.Minute}),
			"6d6c69740000004a" + "6d696b640000000102" + "6d696e6d00000000" + "6173617200000000" + "6173616c00000000" +
				"6173676e0000000178" + "617379720000000207cf" + "6173746e000000020007" + "6173746d000000040000ea60"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestVolumes(t *testing.T) {
	for _, c := range []struct {
		level float64
		want  string
	}{
		{0, "volume: -144.000000\r\n"},
		{-1, "volume: -144.000000\r\n"},
		{0.5, "volume: -15.000000\r\n"},
		{1, "volume: 0.000000\r\n"},
		{1 - 1e-12, "volume: 0.000000\r\n"},
		{7, "volume: 0.000000\r\n"},
	} {
		if got := string(raop.VolumeBody(c.level)); got != c.want {
			t.Errorf("%v: got %q, want %q", c.level, got, c.want)
		}
	}
	for _, c := range []struct {
		body string
		want float64
		ok   bool
	}{
		{"volume: -15.000000\r\n", 0.5, true},
		{"\r\nvolume: -24.000000", 0.2, true},
		{"Volume:0", 1, true},
		{"volume: -144.0", 0, true},
		{"volume: 11", 1, true},
		{"volume: NaN", 0, false},
		{"progress: 1/2/3\r\n", 0, false},
		{"", 0, false},
	} {
		got, ok := raop.ParseVolume([]byte(c.body))
		if ok != c.ok || got-c.want > 1e-9 || c.want-got > 1e-9 {
			t.Errorf("%q: got %v, %v, want %v, %v", c.body, got, ok, c.want, c.ok)
		}
	}
}

func TestTransports(t *testing.T) {
	for _, c := range []struct {
		text              string
		audio, ctrl, time uint16
		ok                bool
	}{
		{"RTP/AVP/UDP;unicast;interleaved=0-1;mode=record;control_port=6001;timing_port=6002;server_port=6003", 6003, 6001, 6002, true},
		{" Server_Port = 9 ; control_port=8;timing_port=0", 9, 8, 0, true},
		{"server_port=6003", 6003, 0, 0, false},
		{"server_port=70000;control_port=1", 0, 1, 0, false},
		{"", 0, 0, 0, false},
	} {
		audio, ctrl, timing, err := raop.ParseTransport(c.text)
		if audio != c.audio || ctrl != c.ctrl || timing != c.time || (err == nil) != c.ok {
			t.Errorf("%q: got %d, %d, %d, %v", c.text, audio, ctrl, timing, err)
		}
	}
}

// picture returns an image of noise.
func picture(t *testing.T, w, h int, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	mathrand.New(mathrand.NewSource(1)).Read(img.Pix)
	var b bytes.Buffer
	if err := encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(b *bytes.Buffer, i image.Image) error { return jpeg.Encode(b, i, nil) }
func asPNG(b *bytes.Buffer, i image.Image) error  { return png.Encode(b, i) }

func TestArtworkIsMadeToFit(t *testing.T) {
	small := picture(t, 40, 30, asPNG)
	if got, kind := raop.FitArtwork(small); !bytes.Equal(got, small) || kind != "image/png" {
		t.Errorf("a small one: got %d bytes of %s, want it unchanged", len(got), kind)
	}
	got, kind := raop.FitArtwork(picture(t, 1200, 300, asJPEG))
	c, err := jpeg.DecodeConfig(bytes.NewReader(got))
	if err != nil || kind != "image/jpeg" || c.Width != 600 || c.Height != 150 {
		t.Errorf("a large one: got %s of %dx%d, %v, want image/jpeg of 600x150", kind, c.Width, c.Height, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "no picture": []byte("hello"), "half a picture": picture(t, 700, 700, asJPEG)[:9000],
		"a bomb": []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\x00\x00\x00\x00\x00\x00\x00"),
	} {
		if got, _ := raop.FitArtwork(b); got != nil {
			t.Errorf("%s: got %d bytes, want none", name, len(got))
		}
	}
}
