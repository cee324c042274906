package loudness_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"airplay2mqtt/audio/internal/audiotest"
)

// read is what is in a WAV file, as sox reads it.
func read(t *testing.T, file string) [][2]float32 {
	t.Helper()
	return audiotest.Frames(t, audiotest.Run(t, "", "sox %s -t f32 -c 2 -", file), 2)
}

var shown = regexp.MustCompile(`lavfi\.r128\.(I|true_peaks_ch0|true_peaks_ch1)=(\S+)`)

// theirs is what ffmpeg measures: the last it says of each.
func theirs(t *testing.T, file string) (loudness, peak float64) {
	t.Helper()
	out := audiotest.Run(t, "", "ffmpeg -nostdin -v error -i %s -af ebur128=peak=true:metadata=1,ametadata=print:file=- -f null -", file)
	last := map[string]float64{}
	for _, m := range shown.FindAllStringSubmatch(string(out), -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		last[m[1]] = v
	}
	if len(last) != 3 {
		t.Fatalf("ffmpeg told only %v", last)
	}
	return last["I"], decibels(max(last["true_peaks_ch0"], last["true_peaks_ch1"]))
}

func TestFfmpegMeasuresTheSame(t *testing.T) {
	audiotest.Need(t, "ffmpeg", "sox", "espeak-ng")
	const words = "The front door has been opened. Dinner is ready; please come down."
	dir := t.TempDir()
	spoken := filepath.Join(dir, "spoken.wav")
	audiotest.Run(t, "", "espeak-ng -w %s %s", spoken, words)
	sounds := map[string]string{ // effects of sox; what ends abruptly has overshoots that ffmpeg does not wait for
		"white noise":  "synth 3 whitenoise gain -12",
		"pink noise":   "synth 3 pinknoise synth 3 sine amod 0.7",
		"brown noise":  "synth 3 brownnoise synth 3 sine amod 0.3 60 gain -3",
		"plucks":       "synth 2 pluck A3 synth 2 pluck mix E4 gain -6 fade 0 3 1",
		"quiet sweep":  "synth 3 sine 30-15000 gain -30 fade t 0.1 0 0.1",
		"long silence": "synth 1 pinknoise gain -20 pad 1 3",
	}
	for _, rate := range []int{44100, 48000} {
		for name, effects := range sounds {
			t.Run(fmt.Sprint(name, " at ", rate), func(t *testing.T) {
				file := filepath.Join(dir, fmt.Sprint(name, rate, ".wav"))
				audiotest.Run(t, "", fmt.Sprintf("sox -R -D -n -r %d -c 2 -e floating-point -b 32 %%s %s", rate, effects), file)
				compareWithFfmpeg(t, file, rate)
			})
		}
		t.Run(fmt.Sprint("speech at ", rate), func(t *testing.T) {
			file := filepath.Join(dir, fmt.Sprint("speech", rate, ".wav"))
			audiotest.Run(t, "", fmt.Sprintf("sox -R -D %%s -r %d -c 2 -b 16 %%s gain -4", rate), spoken, file)
			compareWithFfmpeg(t, file, rate)
		})
	}
}

func compareWithFfmpeg(t *testing.T, file string, rate int) {
	t.Helper()
	loudness, peak := theirs(t, file)
	got := measure(t, read(t, file), rate)
	near(t, "LUFS", got.Loudness, loudness, 0.1)
	near(t, "dBTP", got.Peak, peak, 0.3)
	t.Logf("ours %.3f LUFS, %.3f dBTP; ffmpeg's %.3f, %.3f", got.Loudness, got.Peak, loudness, peak)
}
