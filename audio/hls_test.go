package audio_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/internal/audiotest"
)

func TestHLSIsHeard(t *testing.T) {
	audiotest.Need(t, "ffmpeg")
	const frames = 5 * 44100
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.wav"), wave(44100, tune(44100, frames)), 0o644); err != nil {
		t.Fatal(err)
	}
	audiotest.Run(t, dir, "ffmpeg -v error -i in.wav -c:a aac -f hls -hls_time 1 -hls_list_size 0 ts.m3u8")
	audiotest.Run(t, dir, "ffmpeg -v error -i in.wav -c:a aac -f hls -hls_time 1 -hls_list_size 0 -hls_segment_type fmp4 mp4.m3u8")
	audiotest.Run(t, dir, "ffmpeg -v error -i in.wav -c:a aac -f hls -hls_time 1 -hls_list_size 0 -hls_flags single_file one.m3u8")
	master := "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1920x1080,CODECS=\"avc1.4d401f,mp4a.40.2\"\nnone.m3u8\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS=\"mp4a.40.2\"\nts.m3u8\n"
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/master.m3u8" {
			io.WriteString(w, master)
			return
		}
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
	})
	for _, name := range []string{"ts", "mp4", "one", "master"} {
		track := s.open(t, "http://10.0.0.1/"+name+".m3u8")
		got := hear(t, track)
		if n := len(got) / 2; n < frames-3000 || n > frames+6000 || track.Live || track.Format.Codec != "aac" {
			t.Errorf("%s: got %d frames of %+v, want %d", name, n, track.Format, frames)
		}
		if d := track.Tags.Duration; d < 4900*time.Millisecond || d > 5200*time.Millisecond {
			t.Errorf("%s: got a duration of %v", name, d)
		}
	}
	s.FFmpeg = filepath.Join(dir, "none")
	if _, err := s.Open(t.Context(), "http://10.0.0.1/ts.m3u8"); !errors.Is(err, audio.ErrUnsupported) || !strings.Contains(err.Error(), "install ffmpeg") {
		t.Errorf("without ffmpeg: got %v", err)
	}
}

// segments is an MP3 of so many seconds, in pieces of one second.
func segments(t *testing.T, seconds int) (pieces [][]byte) {
	t.Helper()
	audiotest.Need(t, "lame")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.wav"), wave(44100, tune(44100, seconds*44100)), 0o644); err != nil {
		t.Fatal(err)
	}
	audiotest.Run(t, dir, "lame --quiet -t -b 128 in.wav a.mp3")
	b, err := os.ReadFile(filepath.Join(dir, "a.mp3"))
	if err != nil {
		t.Fatal(err)
	}
	for len(b) >= 16000 {
		pieces, b = append(pieces, b[:16000]), b[16000:]
	}
	return pieces
}

func TestLiveHLSGoesOn(t *testing.T) {
	pieces := segments(t, 24)
	synctest.Test(t, func(t *testing.T) {
		begun, lost := time.Now(), 0
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			now := min(4+int(time.Since(begun)/time.Second), len(pieces))
			var n int
			if _, err := fmt.Sscanf(r.URL.Path, "/%d.mp3", &n); err == nil {
				if n == 20 && lost < 1 { // once
					lost++
					http.Error(w, "later", http.StatusServiceUnavailable)
					return
				}
				w.Write(pieces[n])
				return
			}
			fmt.Fprintf(w, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:%d\n", now-4)
			for i := now - 4; i < now; i++ {
				fmt.Fprintf(w, "#EXTINF:1,\n%d.mp3\n", i)
			}
			if now == len(pieces) {
				io.WriteString(w, "#EXT-X-ENDLIST\n")
			}
		})
		track := s.open(t, "http://10.0.0.1/live.m3u8")
		if !track.Live || track.Seekable() {
			t.Errorf("got live %v, seekable %v", track.Live, track.Seekable())
		}
		frames, _, _, err := listen(t, track, 30*time.Second)
		if err != io.EOF {
			t.Errorf("got %v, want the end", err)
		}
		if want := (len(pieces) - 1) * 16000 * 8 * 44100 / 128000; frames < want-3000 || frames > want+3000 {
			t.Errorf("got %d frames, want %d", frames, want)
		}
	})
}

func TestEncryptedHLSIsHeard(t *testing.T) {
	pieces := segments(t, 4)
	key := []byte("0123456789abcdef")
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			var n int
			switch _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); {
			case r.URL.Path == "/key":
				w.Write(key)
			case err == nil:
				block, _ := aes.NewCipher(key)
				b := bytes.Clone(pieces[n])
				pad := 16 - len(b)%16
				b = append(b, bytes.Repeat([]byte{byte(pad)}, pad)...)
				cipher.NewCBCEncrypter(block, append(make([]byte, 15), byte(n))).CryptBlocks(b, b)
				w.Write(b)
			default:
				io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"/key\"\n#EXTINF:1,\n0\n#EXTINF:1,\n1\n#EXTINF:1,\n2\n#EXT-X-ENDLIST")
			}
		})
		if got := len(hear(t, s.open(t, "http://10.0.0.1/x.m3u8"))) / 2; got < 130_000 || got > 135_000 {
			t.Errorf("got %d frames", got)
		}
	})
}

func TestHLSThatIsNoneIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":   "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n",
		"files":     "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
		"protected": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\"\n#EXTINF:1,\n1.ts\n",
		"itself":    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n",
	} {
		virtual(t, name, func(t *testing.T) {
			s := newSite(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) })
			if _, err := s.Open(t.Context(), "http://10.0.0.1/x.m3u8"); !errors.Is(err, audio.ErrUnsupported) {
				t.Errorf("got %v, want ErrUnsupported", err)
			}
		})
	}
	virtual(t, "without segments", func(t *testing.T) {
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:6\n") })
		if _, err := s.Open(t.Context(), "http://10.0.0.1/x.m3u8"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
	})
}

func FuzzHLS(f *testing.F) {
	f.Add("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"i\",BYTERANGE=\"1@2\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x00\n#EXT-X-BYTERANGE:5@6\n#EXTINF:1,\n1.ts\n#EXT-X-ENDLIST")
	f.Add("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"b\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"mp4a.40.2,avc1\",AUDIO=\"a\"\nx")
	f.Fuzz(func(t *testing.T, text string) {
		if variants, segments, _ := audio.ParseHLS(text); variants > 1000 || segments > 14_400 {
			t.Errorf("got %d variants, %d segments", variants, segments)
		}
	})
}
