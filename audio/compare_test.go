package audio_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	gomp3 "github.com/hajimehoshi/go-mp3"
	"github.com/jfreymuth/oggvorbis"
	libflac "github.com/mewkiz/flac"
	gowav "github.com/youpy/go-wav"

	"airplay2mqtt/audio"
)

// libraries decode the bytes of a file and do nothing with what comes out.
var libraries = map[string]func(b []byte) error{
	"a.wav": func(b []byte) error {
		r := gowav.NewReader(bytes.NewReader(b))
		for {
			if _, err := r.ReadSamples(2048); err != nil {
				return err
			}
		}
	},
	"a.mp3": func(b []byte) error {
		d, err := gomp3.NewDecoder(bytes.NewReader(b))
		if err == nil {
			_, err = io.Copy(io.Discard, d)
		}
		return err
	},
	"a.flac": func(b []byte) error {
		s, err := libflac.New(bytes.NewReader(b))
		for err == nil {
			_, err = s.ParseNext()
		}
		return err
	},
	"a.ogg": func(b []byte) error {
		r, err := oggvorbis.NewReader(bytes.NewReader(b))
		for p := make([]float32, 8192); err == nil; {
			_, err = r.Read(p)
		}
		return err
	},
}

// BenchmarkCompare is the whole way to packets beside the library alone and
// ffmpeg, on the same file in turn, so that what else the machine does hits
// all of them. It counts processor time: ffmpeg's own, less that of starting
// it. docs/benchmarks.md has the figures.
func BenchmarkCompare(b *testing.B) {
	const seconds = 60
	dir := makeFiles(b, tune(44100, seconds*44100), formats)
	start := ffmpegTakes(b, dir, "-t 0.01 -i in.wav")
	for _, f := range formats {
		b.Run(f.file, func(b *testing.B) {
			path := filepath.Join(dir, f.file)
			file, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			var ours, alone, theirs time.Duration
			for b.Loop() {
				begun := processor()
				track, err := audio.Open(b.Context(), path)
				if err != nil {
					b.Fatal(err)
				}
				toPackets(b, track)
				track.Close()
				ours += processor() - begun
				if decode := libraries[f.file]; decode != nil {
					begun := processor()
					if err := decode(file); err != nil && err != io.EOF {
						b.Fatal(err)
					}
					alone += processor() - begun
				}
				theirs += max(ffmpegTakes(b, dir, "-i "+f.file)-start, time.Millisecond)
			}
			speed := func(d time.Duration) float64 { return float64(b.N) * seconds / d.Seconds() }
			b.ReportMetric(speed(ours), "x-ours")
			b.ReportMetric(speed(theirs), "x-ffmpeg")
			if alone > 0 {
				b.ReportMetric(speed(alone), "x-library")
				b.ReportMetric(float64(ours)/float64(alone), "ours/library")
			}
		})
	}
}

// ffmpegTakes is the processor time of one run to 16-bit samples at 44100.
func ffmpegTakes(b *testing.B, dir, args string) time.Duration {
	b.Helper()
	cmd := exec.Command("sh", "-c", "exec ffmpeg -v error -nostdin -threads 1 "+args+" -f s16le -ar 44100 -ac 2 -y /dev/null")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("ffmpeg %s: %v\n%s", args, err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
