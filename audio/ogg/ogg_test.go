package ogg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jfreymuth/oggvorbis"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/ogg"
	"airplay2mqtt/audio/tags"
)

type frame = [2]float32

// sound makes a WAV file of 16 bits.
func sound(t testing.TB, rate, channels int, seconds float64) string {
	t.Helper()
	return audiotest.Noise(t, rate, 16, channels, seconds)
}

// serial makes the streams of a test differ, as those of a chain must.
func serial() string { return fmt.Sprint(rand.Int32()) }

func vorbis(t testing.TB, wav string, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sound.ogg")
	audiotest.Program(t, "", "oggenc", append(append([]string{"-Q", "-s", serial(), "-o", name}, args...), wav)...)
	return audiotest.Read(t, name)
}

func opus(t testing.TB, wav string, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sound.opus")
	audiotest.Program(t, "", "opusenc", append(append([]string{"--quiet", "--serial", serial()}, args...), wav, name)...)
	return audiotest.Read(t, name)
}

func oggFLAC(t testing.TB, wav string, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sound.oga")
	audiotest.Program(t, "", "flac", append(append([]string{"--ogg", "--serial-number", serial(), "-s", "-f", "-o", name}, args...), wav)...)
	return audiotest.Read(t, name)
}

// reference decodes with ffmpeg, to stereo if there are one or two channels.
func reference(t testing.TB, data []byte, args ...string) []frame {
	t.Helper()
	args = append([]string{"-v", "error", "-i", audiotest.Write(t, "sound.ogg", data)}, args...)
	pcm := audiotest.Program(t, "", "ffmpeg", append(args, "-f", "f32le", "-c:a", "pcm_f32le", "-")...)
	return audiotest.Frames(t, pcm, 2)
}

func decoder(t testing.TB, r io.Reader) *ogg.Decoder {
	t.Helper()
	d := audiotest.Open(t, r, ogg.NewDecoder)
	t.Cleanup(func() { d.Close() })
	return d
}

func all(t testing.TB, d *ogg.Decoder) []frame {
	t.Helper()
	frames, err := audiotest.Drain(d, 700)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// differ says where two sounds differ by more than most; "" if nowhere.
func differ(got, want []frame, most float64) string {
	if len(got) != len(want) {
		return fmt.Sprintf("got %d frames, want %d", len(got), len(want))
	}
	for i := range got {
		for c := range 2 {
			if d := math.Abs(float64(got[i][c]) - float64(want[i][c])); !(d <= most) {
				return fmt.Sprintf("frame %d of %d is %v, want %v", i, len(got), got[i], want[i])
			}
		}
	}
	return ""
}

// closeToRounding is what float32 decoders differ by.
const closeToRounding = 3e-7

func TestVorbisIsWhatFFmpegDecodes(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rate     int
		channels int
		args     []string
	}{
		{"q2", 44100, 2, []string{"-q", "2"}},
		{"q6", 44100, 2, []string{"-q", "6"}},
		{"q10", 44100, 2, []string{"-q", "10"}},
		{"48k", 48000, 2, nil},
		{"96k", 96000, 2, nil},
		{"22k", 22050, 2, nil},
		{"8k", 8000, 2, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := vorbis(t, sound(t, tt.rate, tt.channels, 1.3), tt.args...)
			want := reference(t, data)
			file := decoder(t, bytes.NewReader(data))
			if diff := differ(all(t, file), want, closeToRounding); diff != "" {
				t.Errorf("from a file: %s", diff)
			}
			if diff := differ(all(t, decoder(t, audiotest.Trickle(bytes.NewReader(data)))), want, closeToRounding); diff != "" {
				t.Errorf("from a pipe: %s", diff)
			}
			got := fmt.Sprint(file.Codec(), file.Rate(), file.Channels(), file.Bits(), file.Len(), file.Seekable())
			if want := fmt.Sprint("vorbis", tt.rate, tt.channels, 0, len(want), true); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestVorbisIsWhatOggvorbisDecodes(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 2))
	r, err := oggvorbis.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var want []frame
	for buf := make([]float32, 8192); ; {
		n, err := r.Read(buf)
		for i := 0; i < n; i += 2 {
			want = append(want, frame{buf[i], buf[i+1]})
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got := all(t, decoder(t, bytes.NewReader(data)))
	for i := range got { // oggvorbis cuts what is louder than full scale
		got[i] = frame{max(-1, min(1, got[i][0])), max(-1, min(1, got[i][1]))}
	}
	if diff := differ(got, want, 0); diff != "" {
		t.Error(diff)
	}
}

func TestMonoGoesToBothSides(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 1, 1))
	want := reference(t, data, "-af", "pan=stereo|c0=c0|c1=c0")
	if diff := differ(all(t, decoder(t, bytes.NewReader(data))), want, closeToRounding); diff != "" {
		t.Error(diff)
	}
}

func TestSurroundVorbisIsMixedToStereo(t *testing.T) {
	for channels := 3; channels <= 8; channels++ {
		wav := sound(t, 48000, channels, 0.5)
		d := decoder(t, bytes.NewReader(vorbis(t, wav)))
		frames := all(t, d)
		if len(frames) != 24000 || d.Channels() != channels {
			t.Errorf("%d channels: got %d frames of %d channels", channels, len(frames), d.Channels())
		}
	}
}

// The setup header of 5.1 has codebooks that the engine misreads.
func TestVorbisOfSixChannelsIsDecodedRight(t *testing.T) {
	data := vorbis(t, sound(t, 48000, 6, 1))
	pcm := audiotest.Program(t, "", "ffmpeg", "-v", "error", "-i", audiotest.Write(t, "sound.ogg", data), "-f", "f32le", "-c:a", "pcm_f32le", "-")
	want := make([]frame, len(pcm)/24)
	for i := range want {
		var c [6]float64 // left, right, centre, LFE, back left, back right
		for j := range c {
			c[j] = float64(math.Float32frombits(binary.LittleEndian.Uint32(pcm[24*i+4*j:])))
		}
		scale := 1 / (1 + math.Sqrt2)
		want[i] = frame{
			float32(scale * (c[0] + math.Sqrt2/2*(c[2]+c[4]))),
			float32(scale * (c[1] + math.Sqrt2/2*(c[2]+c[5]))),
		}
	}
	if diff := differ(all(t, decoder(t, bytes.NewReader(data))), want, 1e-6); diff != "" {
		t.Error(diff)
	}
}

func TestFFmpegsVorbisIsDecoded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sound.ogg")
	audiotest.Program(t, "", "ffmpeg", "-v", "error", "-i", sound(t, 44100, 2, 1), "-c:a", "vorbis", "-strict", "-2", name)
	data := audiotest.Read(t, name)
	if diff := differ(all(t, decoder(t, bytes.NewReader(data))), reference(t, data), closeToRounding); diff != "" {
		t.Error(diff)
	}
}

func TestOpusIsCloseToLibopus(t *testing.T) {
	for _, tt := range []struct {
		name     string
		channels int
		snr      float64 // decibels, at least
		args     []string
	}{
		{"128k", 2, 90, []string{"--bitrate", "128"}},
		{"64k", 2, 90, []string{"--bitrate", "64"}},
		{"mono", 1, 90, []string{"--bitrate", "64"}},
		{"frames of 2.5 ms", 2, 90, []string{"--framesize", "2.5", "--bitrate", "160"}},
		{"frames of 60 ms", 2, 90, []string{"--framesize", "60", "--bitrate", "128"}},
		{"speech", 1, 25, []string{"--bitrate", "12", "--speech"}},
		{"hybrid", 1, 25, []string{"--bitrate", "28", "--speech"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := opus(t, sound(t, 48000, tt.channels, 1.5), tt.args...)
			want := libopus(t, data, tt.channels)
			file := decoder(t, bytes.NewReader(data))
			got := all(t, file)
			if len(got) != len(want) || file.Len() != int64(len(want)) || len(got) != 72000 {
				t.Errorf("got %d frames, length %d, want %d", len(got), file.Len(), len(want))
			}
			if snr := ratio(got, want); snr < tt.snr {
				t.Errorf("got %.1f dB, want %v", snr, tt.snr)
			}
			if diff := differ(all(t, decoder(t, audiotest.Trickle(bytes.NewReader(data)))), got, 0); diff != "" {
				t.Errorf("from a pipe: %s", diff)
			}
			if file.Codec() != "opus" || file.Rate() != 48000 || file.Channels() != tt.channels {
				t.Errorf("got %s, %d Hz, %d channels", file.Codec(), file.Rate(), file.Channels())
			}
		})
	}
}

// libopus decodes with opusdec.
func libopus(t testing.TB, data []byte, channels int) []frame {
	t.Helper()
	name := filepath.Join(t.TempDir(), "decoded.wav")
	audiotest.Program(t, "", "opusdec", "--quiet", "--float", "--rate", "48000", audiotest.Write(t, "sound.ogg", data), name)
	pcm := audiotest.Read(t, name)
	pcm = pcm[bytes.Index(pcm, []byte("data"))+8:]
	out := make([]frame, len(pcm)/4/channels)
	for i := range out {
		for c := range 2 {
			bits := binary.LittleEndian.Uint32(pcm[4*(i*channels+min(c, channels-1)):])
			out[i][c] = math.Float32frombits(bits)
		}
	}
	return out
}

// ratio is that of the sound to the error, in decibels.
func ratio(got, want []frame) float64 {
	var signal, noise float64
	for i := range min(len(got), len(want)) {
		for c := range 2 {
			w, d := float64(want[i][c]), float64(got[i][c])-float64(want[i][c])
			signal += w * w
			noise += d * d
		}
	}
	return 10 * math.Log10(signal/noise)
}

func TestOpusOfManyChannelsIsRefused(t *testing.T) {
	data := opus(t, sound(t, 48000, 6, 0.3))
	if _, err := ogg.NewDecoder(bytes.NewReader(data)); !errors.Is(err, ogg.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}

func TestOpusGainIsApplied(t *testing.T) {
	data := opus(t, sound(t, 48000, 2, 0.5))
	want := all(t, decoder(t, bytes.NewReader(data)))
	head := bytes.Index(data, []byte("OpusHead"))
	binary.LittleEndian.PutUint16(data[head+16:], 0xfa00) // -6 dB
	got := all(t, decoder(t, bytes.NewReader(resum(data))))
	for i := range want {
		want[i] = frame{want[i][0] * 0.5011872, want[i][1] * 0.5011872}
	}
	if diff := differ(got, want, 1e-6); diff != "" {
		t.Error(diff)
	}
}

func TestFLACIsExact(t *testing.T) {
	for _, rate := range []int{24000, 44100, 96000} {
		data := oggFLAC(t, sound(t, rate, 2, 1))
		want := reference(t, data)
		file := decoder(t, bytes.NewReader(data))
		if diff := differ(all(t, file), want, 0); diff != "" {
			t.Errorf("%d Hz, from a file: %s", rate, diff)
		}
		if diff := differ(all(t, decoder(t, audiotest.Trickle(bytes.NewReader(data)))), want, 0); diff != "" {
			t.Errorf("%d Hz, from a pipe: %s", rate, diff)
		}
		if file.Codec() != "flac" || file.Bits() != 16 || file.Len() != int64(len(want)) {
			t.Errorf("got %s, %d bits, length %d", file.Codec(), file.Bits(), file.Len())
		}
	}
}

func TestTags(t *testing.T) {
	wav := sound(t, 48000, 2, 1)
	cover := filepath.Join(t.TempDir(), "cover.png")
	image := append([]byte("\x89PNG\r\n\x1a\n"), pngRest...)
	if err := os.WriteFile(cover, image, 0o600); err != nil {
		t.Fatal(err)
	}
	want := tags.Tags{Title: "Küchenlied", Artist: "A", Album: "B", Genre: "Folk", Year: 1999, Track: 3, Duration: time.Second}
	withCover := want
	withCover.Artwork = image
	for _, tt := range []struct {
		name string
		data []byte
		want tags.Tags
	}{
		{"vorbis", vorbis(t, wav, "-t", "Küchenlied", "-a", "A", "-l", "B", "-G", "Folk", "-d", "1999", "-N", "3"), want},
		{"opus", opus(t, wav, "--title", "Küchenlied", "--artist", "A", "--album", "B", "--genre", "Folk",
			"--date", "1999", "--comment", "TRACKNUMBER=3", "--picture", cover), withCover},
		{"flac", oggFLAC(t, wav, "-T", "TITLE=Küchenlied", "-T", "ARTIST=A", "-T", "ALBUM=B", "-T", "GENRE=Folk",
			"-T", "DATE=1999", "-T", "TRACKNUMBER=3", "--picture="+cover), withCover},
	} {
		if diff := cmp.Diff(tt.want, decoder(t, bytes.NewReader(tt.data)).Tags()); diff != "" {
			t.Errorf("%s: tags differ (-want +got):\n%s", tt.name, diff)
		}
		tt.want.Duration = 0
		if diff := cmp.Diff(tt.want, decoder(t, audiotest.Trickle(bytes.NewReader(tt.data))).Tags()); diff != "" {
			t.Errorf("%s from a pipe: tags differ (-want +got):\n%s", tt.name, diff)
		}
	}
}

// pngRest completes a PNG of one pixel.
var pngRest = []byte("\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff\xff\x7f\x00\t\xfb\x03\xfd\x05CE\xca\x00\x00\x00\x00IEND\xaeB`\x82")

func TestSeeksAreExact(t *testing.T) {
	wav := sound(t, 44100, 2, 4)
	for _, tt := range []struct {
		name string
		data []byte
		most float64
	}{
		{"vorbis", vorbis(t, wav), 0},
		{"flac", oggFLAC(t, wav), 0},
		{"opus", opus(t, wav), 1e-6},
		{"speech", opus(t, wav, "--bitrate", "12", "--speech"), 1e-4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := decoder(t, bytes.NewReader(tt.data))
			checkSeeks(t, d, all(t, d), tt.most, 50)
		})
	}
}

// checkSeeks goes to random frames and to the borders.
func checkSeeks(t *testing.T, d *ogg.Decoder, want []frame, most float64, times int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	last := int64(len(want) - 1)
	targets := []int64{0, last, 1, last / 2, 0, 5000}
	for range times {
		targets = append(targets, rnd.Int64N(last))
	}
	for _, n := range targets {
		if err := d.SeekFrame(n); err != nil {
			t.Fatal(err)
		}
		var got []frame
		for end := min(n+6000, last+1); n+int64(len(got)) < end; {
			buf := make([]frame, end-n-int64(len(got)))
			k, err := d.Read(buf)
			if err != nil {
				t.Fatalf("after seeking to %d: %v", n, err)
			}
			got = append(got, buf[:k]...)
		}
		if diff := differ(got, want[n:n+int64(len(got))], most); diff != "" {
			t.Errorf("after seeking to %d: %s", n, diff)
		}
	}
	if err := d.SeekFrame(last + 1); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Read(make([]frame, 1)); n != 0 || err != io.EOF {
		t.Errorf("at the end: got %d frames, %v, want io.EOF", n, err)
	}
	if err := d.SeekFrame(last); err != nil {
		t.Fatal(err)
	}
	if got := all(t, d); len(got) != 1 {
		t.Errorf("back from the end: got %d frames, want 1", len(got))
	}
}

func TestStreamThatBeginsInsideAFileSeeks(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 2))
	r := bytes.NewReader(append(bytes.Repeat([]byte("x"), 12345), data...))
	if _, err := r.Seek(12345, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	checkSeeks(t, decoder(t, r), all(t, decoder(t, audiotest.Trickle(bytes.NewReader(data)))), 0, 5)
}

func TestPipesDoNotSeek(t *testing.T) {
	d := decoder(t, audiotest.Trickle(bytes.NewReader(vorbis(t, sound(t, 44100, 2, 0.2)))))
	if err := d.SeekFrame(0); !errors.Is(err, ogg.ErrNotSeekable) || d.Seekable() || d.Len() != -1 {
		t.Errorf("got %v, seekable %v, length %d", err, d.Seekable(), d.Len())
	}
}
