package ffmpeg_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/audio/internal/audiotest"
)

// What comes in must not make ffmpeg look at anything else: neither at files,
// nor at the network.
func TestNothingMakesFFmpegOpenAnythingElse(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	secret := filepath.Join(dir, "source.wav") // which it could well play
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan struct{})
	go func() {
		defer close(called)
		if c, err := l.Accept(); err == nil {
			c.Close()
			t.Error("somebody called")
		}
	}()
	web := "http://" + l.Addr().String() + "/a.wav"
	m3u8 := "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n%s\n#EXT-X-ENDLIST\n"
	for name, text := range map[string]string{
		"HLS of a file":         fmt.Sprintf(m3u8, "file://"+secret),
		"HLS of a path":         fmt.Sprintf(m3u8, secret),
		"HLS of the web":        fmt.Sprintf(m3u8, web),
		"HLS of concat":         fmt.Sprintf(m3u8, "concat:"+secret+"|"+web),
		"HLS of subfile":        fmt.Sprintf(m3u8, "subfile,,start,0,end,1000,,:"+secret),
		"HLS of crypto":         fmt.Sprintf(m3u8, "crypto+file://"+secret),
		"HLS of data":           fmt.Sprintf(m3u8, "data:audio/wav;base64,UklGRg=="),
		"HLS of itself":         fmt.Sprintf(m3u8, "pipe:0"),
		"HLS with a key":        strings.Replace(fmt.Sprintf(m3u8, "pipe:0"), "#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\""+web+"\"\n#EXTINF", 1),
		"HLS of playlists":      "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n" + web + "\n",
		"concat":                "ffconcat version 1.0\nfile '" + secret + "'\n",
		"concat with options":   "ffconcat version 1.0\nfile '" + web + "'\noption safe 0\n",
		"a name":                "concat:" + secret,
		"an address":            web + "\n",
		"a path":                secret + "\n",
		"M3U":                   "#EXTM3U\n" + secret + "\n",
		"SDP":                   "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
		"DASH":                  `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1"><BaseURL>` + web + `</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"SVG":                   `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="file://` + secret + `"/></svg>`,
		"ASS":                   "[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,0:00:00.00,0:00:05.00,x\n",
		"SRT":                   "1\n00:00:00,000 --> 00:00:05,000\nx\n",
		"metadata":              ";FFMETADATA1\ntitle=x\n",
		"options":               "-i " + secret + "\n",
		"RTSP":                  "rtsp://127.0.0.1/\n",
		"ASX":                   `<asx version="3.0"><entry><ref href="` + web + `"/></entry></asx>`,
		"MOV with a reference":  ftyp + box("moov", box("mvhd", u32(0)+u32(0)+u32(0)+u32(600)+u32(600)), box("trak", box("mdia", box("minf", box("dinf", box("dref", u32(0)+u32(1)+box("url ", u32(0)+"file://"+secret+"\x00"))))))),
		"MOV of other movies":   ftyp + box("moov", box("rmra", box("rmda", box("rdrf", u32(0)+"url "+u32(len(web)+1)+web+"\x00")))),
		"a picture":             "\x89PNG\r\n\x1a\n" + box("IHDR", u32(1)+u32(1)),
		"a console picture":     strings.Repeat("\x1b[31mx", 1000),
		"a game's music (gme)":  "NESM\x1a\x01" + strings.Repeat("\x00", 200),
		"a tracker's (openmpt)": "Extended Module: x" + strings.Repeat("\x00", 400),
		"a filter graph":        "sine=frequency=1000:duration=5",
		"an image sequence":     "P6 1 1 255 xxx",
	} {
		_, err := ffmpeg.NewDecoder(t.Context(), strings.NewReader(text), ffmpeg.Config{})
		if !errors.Is(err, ffmpeg.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	l.Close()
	<-called
}

func TestWhatIsNoSoundIsRefused(t *testing.T) {
	audiotest.Need(t, "ffmpeg")
	for name, r := range map[string]io.Reader{
		"nothing":            strings.NewReader(""),
		"a byte":             strings.NewReader("x"),
		"noise":              strings.NewReader(noise(100000)),
		"a head of AAC":      strings.NewReader("\xff\xf1\x50\x80\x2e\x7f\xfc"),
		"a head of ASF":      strings.NewReader("\x30\x26\xb2\x75\x8e\x66\xcf\x11" + noise(1000)),
		"an empty film":      strings.NewReader(ftyp + box("moov")),
		"zeros without end":  audiotest.Pipe(zeros{}),
		"endless noise":      audiotest.Pipe(readFunc(rand.NewChaCha8([32]byte{}).Read)),
		"an endless film":    audiotest.Pipe(io.MultiReader(strings.NewReader(ftyp+openBox("mdat")), zeros{})),
		"an endless index":   audiotest.Pipe(io.MultiReader(strings.NewReader(ftyp+openBox("moov")), zeros{})),
		"an endless comment": audiotest.Pipe(io.MultiReader(strings.NewReader("OggS\x00\x02"+strings.Repeat("\x00", 20)+"\x01\x1e\x01vorbis"), zeros{})),
	} {
		begin := time.Now()
		_, err := ffmpeg.NewDecoder(t.Context(), r, ffmpeg.Config{})
		if !errors.Is(err, ffmpeg.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
		if took := time.Since(begin); took > 9*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
}

func TestTooLittleMemoryIsAnErrorOfItsOwn(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	data := encode(t, dir, "-c:a aac", "out.aac")
	if _, err := ffmpeg.NewDecoder(t.Context(), bytes.NewReader(data), ffmpeg.Config{Memory: 1}); err == nil {
		t.Error("ffmpeg did without any memory")
	}
}

// mutated are files that were damaged in places.
func TestDamagedFilesNeverHang(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	rng := rand.New(rand.NewPCG(7, 8))
	for _, f := range []struct{ options, name string }{{"-c:a aac", "out.aac"}, {"-c:a aac", "out.m4a"}, {"-c:a alac", "out.m4a"}, {"-c:a wmav2", "out.wma"}} {
		data := encode(t, dir, f.options, f.name)
		for range 3 {
			b := bytes.Clone(data)
			for range 1 + rng.IntN(50) {
				b[rng.IntN(len(b))] = byte(rng.Uint32())
			}
			b = b[:1+rng.IntN(len(b))]
			d, err := ffmpeg.NewDecoder(t.Context(), bytes.NewReader(b), ffmpeg.Config{})
			if err != nil {
				continue
			}
			n := 0
			for buf := make(frames, 4096); err == nil && n < 1<<20; {
				var k int
				k, err = d.Read(buf)
				n += k
			}
			if err != io.EOF {
				t.Errorf("%s: got %v after %d frames, want io.EOF", f.name, err, n)
			}
			d.Close()
		}
	}
}

func TestATruncatedFilePlaysWhatThereIs(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	for _, f := range []struct{ options, name string }{{"-c:a aac", "out.aac"}, {"-c:a alac -movflags faststart", "out.m4a"}, {"-c:a wmav2", "out.wma"}} {
		data := encode(t, dir, f.options, f.name)
		want := audiotest.Reference(t, dir, f.name, 2)
		d := decode(t, bytes.NewReader(data[:len(data)/2]), ffmpeg.Config{})
		got := audiotest.ReadAll(t, d, 1000)
		if len(got) < len(want)/5 || len(got) > len(want)*3/4 {
			t.Fatalf("%s: got %d frames of %d, want about half", f.name, len(got), len(want))
		}
		sure := len(got) - 8192 // the last packet is a broken one
		audiotest.Same(t, f.name, got[:sure], want[:sure])
	}
}

func TestSoundGoesOnBehindGarbage(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	data := encode(t, dir, "-c:a aac", "out.aac")
	damaged := append(bytes.Clone(data), noise(5000)...)
	damaged = append(damaged, data...)
	d := decode(t, audiotest.Pipe(bytes.NewReader(damaged)), ffmpeg.Config{})
	got, all := len(audiotest.ReadAll(t, d, 1000)), len(audiotest.Reference(t, dir, "out.aac", 2))
	if got < 2*all-10*1024 || got > 2*all+10*1024 {
		t.Errorf("got %d frames, want about twice %d", got, all)
	}
}

// A station may send sound at another rate all of a sudden.
func TestAChangeOfRateIsNotHeard(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	data := encode(t, dir, "-c:a aac", "out.aac")
	data = append(data, encode(t, dir, "-ar 22050 -ac 1 -c:a aac", "out2.aac")...)
	d := decode(t, audiotest.Pipe(bytes.NewReader(data)), ffmpeg.Config{})
	if got := len(audiotest.ReadAll(t, d, 1000)); got < 2*seconds*44100 || got > (2*seconds+0.3)*44100 || d.Rate() != 44100 {
		t.Errorf("got %d frames at %d, want those of %d s at 44100", got, d.Rate(), 2*seconds)
	}
}

func TestFilmsAndCoversAreLookedPast(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg")
	dir := t.TempDir()
	source(t, dir, "-r 44100 -c 2 -b 16")
	audiotest.Run(t, dir, "ffmpeg -v error -f lavfi -i testsrc=s=640x480 -frames:v 1 cover.jpg")
	cover, err := os.ReadFile(filepath.Join(dir, "cover.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{
		"-f lavfi -i testsrc=s=320x240:d=2 -map 1 -map 0 -c:v mpeg4 -c:a aac",
		"-f lavfi -i testsrc=s=320x240:d=2 -map 1 -map 0 -c:v mpeg4 -c:a aac -movflags faststart",
		"-i cover.jpg -map 0 -map 1 -c:v copy -disposition:v attached_pic -c:a alac",
	} {
		data := encode(t, dir, options, "out.m4a.mp4")
		want := audiotest.Reference(t, dir, "out.m4a.mp4", 2)
		d := decode(t, bytes.NewReader(data), ffmpeg.Config{})
		audiotest.Same(t, options, audiotest.ReadAll(t, d, 1000), want)
		if got := d.Tags().Artwork; strings.Contains(options, "cover") && !bytes.Equal(got, cover) {
			t.Errorf("%s: got a cover of %d bytes, want %d", options, len(got), len(cover))
		}
	}
}
