package mp3_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/mp3"
)

// music makes a wav file that uses all that Layer III has: tones, noise, attacks
// and silence.
func music(t testing.TB, dir, format string) string {
	t.Helper()
	name := "music" + strings.ReplaceAll(format, " ", "") + ".wav"
	audiotest.Run(t, dir, "sox -R -n "+format+" -b 16 "+name+
		" synth 1.1 pinknoise synth 1.1 sine mix 200-6000 synth 1.1 square amod 3 gain -4 fade 0.2 1.1 0.3")
	return name
}

// reference is what ffmpeg decodes the file to. At 24 kHz it has a band of other
// width than lame and libmad, which agree; there it is what lame decodes it to.
func reference(t testing.TB, dir, file string, d *mp3.Decoder) frames {
	t.Helper()
	if d.Rate() == 24000 {
		audiotest.Run(t, dir, "lame --quiet --decode "+file+" decoded.wav")
		file = "decoded.wav"
	}
	return audiotest.Frames(t, audiotest.Run(t, dir, "ffmpeg -v quiet -i "+file+" -c:a pcm_f32le -f f32le -"), d.Channels())
}

// encoded are the files that encoders make for us.
var encoded = []struct {
	source string // as sox says it
	encode string
}{
	{"-r 44100 -c 2", "lame --quiet -b 128"},
	{"-r 44100 -c 2", "lame --quiet -b 320"},
	{"-r 44100 -c 2", "lame --quiet -V 2"},
	{"-r 44100 -c 2", "lame --quiet -V 9"},
	{"-r 44100 -c 2", "lame --quiet -b 192 -p"},
	{"-r 44100 -c 2", "lame --quiet -b 128 -t"},
	{"-r 44100 -c 2", "lame --quiet -b 128 --nores"},
	{"-r 44100 -c 2", "lame --quiet -b 128 --tt Title --id3v2-only"},
	{"-r 44100 -c 2", "lame --quiet -V 4 --tt Title --id3v1-only"},
	{"-r 44100 -c 1", "lame --quiet -b 64"},
	{"-r 44100 -c 1", "lame --quiet -V 5"},
	{"-r 48000 -c 2", "lame --quiet -b 160"},
	{"-r 32000 -c 2", "lame --quiet -b 96"},
	{"-r 32000 -c 2", "lame --quiet -b 320"},
	{"-r 24000 -c 2", "lame --quiet -b 64"},
	{"-r 24000 -c 1", "lame --quiet -b 160"},
	{"-r 22050 -c 2", "lame --quiet -b 32 --resample 22.05"},
	{"-r 22050 -c 2", "lame --quiet -b 80"},
	{"-r 22050 -c 2", "lame --quiet -b 112"},
	{"-r 22050 -c 2", "lame --quiet -V 1"},
	{"-r 22050 -c 2", "lame --quiet -V 6"},
	{"-r 22050 -c 1", "lame --quiet -b 24 --resample 22.05"},
	{"-r 22050 -c 1", "lame --quiet -b 32 -p --resample 22.05"},
	{"-r 16000 -c 1", "lame --quiet -b 24 --resample 16"},
	{"-r 16000 -c 2", "lame --quiet -V 3"},
	{"-r 12000 -c 1", "lame --quiet -b 16 --resample 12"},
	{"-r 12000 -c 2", "lame --quiet -b 48"},
	{"-r 11025 -c 1", "lame --quiet -b 24 --resample 11.025"},
	{"-r 11025 -c 2", "lame --quiet -b 64"},
	{"-r 44100 -c 2", "ffmpeg -v error -y -b:a 128k"},
	{"-r 44100 -c 2", "ffmpeg -v error -y -q:a 3 -write_xing 0"},
	{"-r 48000 -c 1", "ffmpeg -v error -y -b:a 96k -id3v2_version 3 -write_id3v1 1 -metadata title=T"},
}

func TestFilesOfEncodersAreDecodedLikeFFmpegDoes(t *testing.T) {
	audiotest.Need(t, "sox", "ffmpeg", "lame")
	dir := t.TempDir()
	for _, f := range encoded {
		source := music(t, dir, f.source)
		line := f.encode + " " + source + " out.mp3"
		if strings.HasPrefix(f.encode, "ffmpeg") {
			line = strings.Replace(f.encode, " -y", " -y -i "+source, 1) + " out.mp3"
		}
		audiotest.Run(t, dir, line)
		data, err := os.ReadFile(filepath.Join(dir, "out.mp3"))
		if err != nil {
			t.Fatal(err)
		}
		name := f.source + ", " + f.encode
		d := decode(t, bytes.NewReader(data))
		want := reference(t, dir, "out.mp3", d)
		if n := d.Len(); n != int64(len(want)) {
			t.Errorf("%s: got length %d, want %d", name, n, len(want))
		}
		got := audiotest.ReadAll(t, d, 1000)
		compare(t, name, got, want)
		piped := audiotest.ReadAll(t, decode(t, audiotest.Pipe(bytes.NewReader(data))), 333)
		if !equal(got, piped) {
			t.Errorf("%s: a pipe gives %d frames that differ from the file's %d", name, len(piped), len(got))
		}
		audiotest.Seeks(t, name, data, got, 12, mp3.NewDecoder)
	}
}

// compare checks that got is within 1.3 units of 16 bits of want.
func compare(t *testing.T, name string, got, want frames) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d frames, want %d", name, len(got), len(want))
	}
	worst, at, noise, signal := 0.0, 0, 0.0, 0.0
	for i := range min(len(got), len(want)) {
		for ch := range 2 {
			limited := min(max(float64(want[i][ch]), -1), 1)
			diff := math.Abs(float64(got[i][ch]) - limited)
			if diff > worst {
				worst, at = diff, i
			}
			noise += diff * diff
			signal += limited * limited
		}
	}
	t.Logf("%s: %d frames, worst %.2f units at %d, %.1f dB", name, len(got), worst*32768, at, 10*math.Log10(signal/noise))
	if worst*32768 > 1.3 {
		t.Errorf("%s: frame %d differs by %.2f units", name, at, worst*32768)
	}
}
