//go:build unix

package ffmpeg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/tags"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("TEST_HOST_OF"); path != "" {
		beHost(path)
	}
	goleak.VerifyTestMain(m)
}

// beHost has a guest, says that it is there, and waits for its own end.
func beHost(path string) {
	d, err := ffmpeg.NewDecoder(context.Background(), endless(), ffmpeg.Config{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range 8 {
		f := make(frames, 1)
		if _, err := d.Read(f); err != nil {
			os.Exit(1)
		}
		fmt.Print(int(f[0][0] * 0x8000))
	}
	fmt.Println()
	select {}
}

func TestTheProcessDiesWithUs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere it ends when it reads or writes")
	}
	path := stand(t, "export PATH=/usr/bin:/bin\nPID=$$; "+sayPID+"exec sleep 1000")
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "TEST_HOST_OF="+path)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	_, err = fmt.Fscanf(out, "%d", &pid)
	host.Process.Kill()
	host.Wait()
	if err != nil || pid == 0 {
		t.Fatalf("the host did not tell its guest: %v", err)
	}
	for begin := time.Now(); runs(pid); runtime.Gosched() {
		if time.Since(begin) > 5*time.Second {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d lives on", pid)
		}
	}
}

// wave is the head of a WAV stream of 16-bit samples as printf(1) likes it.
const wave = `RIFF\377\377\377\377WAVEfmt \020\000\000\000\001\000\002\000\100\037\000\000\000\175\000\000\004\000\020\000data\377\377\377\377`

// stand returns the path of a script that stands in for ffmpeg.
func stand(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// endless never ends, and blocks where it is closed.
func endless() io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		for {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				return
			}
		}
	}()
	return r
}

func TestWhatComesBackIsHeard(t *testing.T) {
	path := stand(t, `read x; printf '`+wave+`\000\100\000\200'; cat >/dev/null`)
	d := decode(t, audiotest.Pipe(strings.NewReader("sound\n")), ffmpeg.Config{Path: path})
	got := audiotest.ReadAll(t, d, 10)
	if want := (frames{{0.5, -1}}); !cmp.Equal(got, want) || d.Rate() != 8000 {
		t.Errorf("got %v at %d, want %v at 8000", got, d.Rate(), want)
	}
	if n, err := d.Read(make(frames, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: got %d frames, %v; want io.EOF", n, err)
	}
}

func TestWithoutFFmpegTheErrorSaysWhatWouldHelp(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, ok := ffmpeg.Find(); ok {
		t.Errorf("found %s", path)
	}
	for _, path := range []string{"", filepath.Join(t.TempDir(), "ffmpeg")} {
		_, err := ffmpeg.NewDecoder(t.Context(), strings.NewReader("sound"), ffmpeg.Config{Path: path})
		if !errors.Is(err, ffmpeg.ErrNotInstalled) || !strings.Contains(err.Error(), "installing ffmpeg would help") {
			t.Errorf("path %q: got %v, want ErrNotInstalled", path, err)
		}
	}
}

func TestWhatIsNoProgramIsNotRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ffmpeg")
	os.WriteFile(path, []byte("text"), 0o600)
	_, err := ffmpeg.NewDecoder(t.Context(), strings.NewReader("sound"), ffmpeg.Config{Path: path})
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ffmpeg.ErrNotInstalled) {
		t.Errorf("got %v, want ErrPermission", err)
	}
}

func TestRefusalsSayWhatFFmpegSays(t *testing.T) {
	for _, tt := range []struct {
		name, script, want string
		format             bool
	}{
		{"an error", `echo "[mov,mp4 @ 0x55] [error] moov atom not found" >&2; exit 1`, "ffmpeg: no sound that it decodes: moov atom not found", true},
		{"no sound", `printf '` + wave + `'; echo "[info] nothing" >&2; echo "[warning] really" >&2`, "ffmpeg: no sound that it decodes", true},
		{"not a wave", `echo "[fatal] one" >&2; echo "[error] two" >&2;  echo "[panic] three" >&2; echo nonsense and more nonsense`, "ffmpeg: no sound that it decodes: one; three", true},
		{"a library is missing", `echo "ffmpeg: error while loading shared libraries: libx.so" >&2; exit 127`, "ffmpeg: it does not run: exit status 127: ffmpeg: error while loading shared libraries: libx.so", false},
		{"silence", `exit 3`, "ffmpeg: it does not run: exit status 3", false},
		{"a crash", `kill -SEGV $$`, "ffmpeg: it does not run: signal: segmentation fault", false},
	} {
		_, err := ffmpeg.NewDecoder(t.Context(), strings.NewReader("sound"), ffmpeg.Config{Path: stand(t, tt.script)})
		if err == nil || err.Error() != tt.want || errors.Is(err, ffmpeg.ErrFormat) != tt.format {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestABreakdownWithinTheSoundIsReported(t *testing.T) {
	path := stand(t, `printf '`+wave+`\000\100\000\200'; echo "[aac @ 0x1] [error] no more" >&2; exit 4`)
	d := decode(t, strings.NewReader("sound"), ffmpeg.Config{Path: path})
	n, err := d.Read(make(frames, 10))
	if n != 1 || err != nil {
		t.Fatalf("got %d frames, %v; want 1", n, err)
	}
	if _, err = d.Read(make(frames, 10)); err == nil || err.Error() != "ffmpeg: it broke down: exit status 4: no more" {
		t.Errorf("got %v, want why it broke down", err)
	}
}

func TestOpeningEndsInTime(t *testing.T) {
	hang := stand(t, `exec sleep 100`)
	header := stand(t, `printf '`+wave+`'; exec sleep 100`)
	for _, path := range []string{hang, header} {
		begin := time.Now()
		_, err := ffmpeg.NewDecoder(t.Context(), strings.NewReader("sound"), ffmpeg.Config{Path: path, Timeout: 50 * time.Millisecond})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 5*time.Second {
			t.Errorf("got %v after %v, want DeadlineExceeded", err, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := ffmpeg.NewDecoder(ctx, strings.NewReader("sound"), ffmpeg.Config{Path: path}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
	}
}

// The deadline is for the opening only.
func TestAContextDoesNotEndWhatIsOpen(t *testing.T) {
	path := stand(t, `printf '`+wave+`\000\100\000\200'; read x; printf '\000\100\000\200'`)
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	d, err := ffmpeg.NewDecoder(ctx, r, ffmpeg.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cancel()
	go func() {
		io.WriteString(w, "go on\n")
		w.Close()
	}()
	if got := audiotest.ReadAll(t, d, 10); len(got) != 2 {
		t.Errorf("got %d frames, want 2", len(got))
	}
}

// alive tells whether there is a process that has not been waited for.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// runs tells whether there is a process that can still do something.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return alive(pid) && (err != nil || !strings.Contains(string(stat), ") Z "))
}

// pidOf is the process that a script names in the samples of its first frame.
func pidOf(t *testing.T, d *ffmpeg.Decoder) int {
	t.Helper()
	pid := 0
	for range 8 { // digits, one a frame
		f := make(frames, 1)
		if n, err := d.Read(f); n != 1 || err != nil {
			t.Fatalf("got %d frames, %v", n, err)
		}
		pid = pid*10 + int(f[0][0]*0x8000)
	}
	return pid
}

// sayPID writes the process in eight frames, and then what it is told to.
const sayPID = `printf '` + wave + `'; for d in $(printf '%08d' $PID | sed 's/./& /g'); do printf "\\$(printf %03o $d)\000\000\000"; done; `

func TestCloseEndsTheProcess(t *testing.T) {
	for name, script := range map[string]string{
		"a process":            `PID=$$; ` + sayPID + `exec cat >/dev/null`,
		"one that is busy":     `PID=$$; ` + sayPID + `while :; do :; done`,
		"one that writes":      `PID=$$; ` + sayPID + `exec cat /dev/zero`,
		"one that complains":   `PID=$$; ` + sayPID + `exec cat /dev/zero >&2`,
		"one that is deaf":     `trap '' TERM INT HUP PIPE; PID=$$; ` + sayPID + `while :; do sleep 1; done`,
		"the child of another": `sleep 1000 & PID=$!; ` + sayPID + `wait`,
	} {
		t.Run(name, func(t *testing.T) {
			r := endless()
			defer r.Close()
			path := stand(t, "export PATH=/usr/bin:/bin\n"+script)
			d := decode(t, r, ffmpeg.Config{Path: path})
			pid := pidOf(t, d)
			if !alive(pid) {
				t.Fatalf("process %d is not there", pid)
			}
			begin := time.Now()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("Close took %v, want less than a second", took)
			}
			// A child of the script's is waited for by the system, in its time.
			for !strings.HasPrefix(name, "a process") && runs(pid) && time.Since(begin) < 5*time.Second {
				runtime.Gosched()
			}
			if runs(pid) || !strings.HasPrefix(name, "the child") && alive(pid) {
				t.Errorf("process %d is still there", pid)
			}
			if n, err := d.Read(make(frames, 1)); n != 0 || !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Read after Close: got %d frames, %v; want ErrClosed", n, err)
			}
			if err := d.Close(); err != nil {
				t.Errorf("Close again: %v", err)
			}
		})
	}
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	path := stand(t, `printf '`+wave+`\000\100\000\200'; exec cat`)
	d := decode(t, r, ffmpeg.Config{Path: path})
	d.Read(make(frames, 1))
	got := make(chan error)
	go func() {
		_, err := d.Read(make(frames, 1))
		got <- err
	}()
	begin := time.Now()
	d.Close()
	if err := <-got; !errors.Is(err, fs.ErrClosed) || time.Since(begin) > 2*time.Second {
		t.Errorf("got %v after %v, want ErrClosed", err, time.Since(begin))
	}
	r.Close()
}

// After Close, a Read of the reader that waits is the last.
func TestAReaderThatWaitsDoesNotHoldUpClose(t *testing.T) {
	read := make(chan struct{}, 10)
	release := make(chan struct{})
	r := readFunc(func(p []byte) (int, error) {
		read <- struct{}{}
		<-release
		return len(p), nil
	})
	path := stand(t, `printf '`+wave+`\000\100\000\200'; exec cat`)
	d := decode(t, r, ffmpeg.Config{Path: path})
	<-read
	begin := time.Now()
	d.Close()
	if took := time.Since(begin); took > time.Second {
		t.Errorf("Close took %v, want less than a second", took)
	}
	close(release)
	if len(read) > 0 {
		t.Error("the reader was read again")
	}
}

func TestTheErrorOfTheReaderIsReported(t *testing.T) {
	lost := errors.New("the line is dead")
	echo := stand(t, `printf '`+wave+`'; exec cat`)
	for name, r := range map[string]io.Reader{
		"at the beginning": iotest.ErrReader(lost),
		"in the sound":     io.MultiReader(strings.NewReader("0123456789abcdef"), iotest.ErrReader(lost)),
	} {
		d, err := ffmpeg.NewDecoder(t.Context(), audiotest.Pipe(r), ffmpeg.Config{Path: echo})
		for err == nil {
			_, err = d.Read(make(frames, 10))
		}
		if !errors.Is(err, lost) {
			t.Errorf("%s: got %v, want %v", name, err, lost)
		}
		if d != nil {
			d.Close()
		}
	}
}

func TestAReaderThatPanicsOrSleepsIsAnError(t *testing.T) {
	echo := stand(t, `printf '`+wave+`'; exec cat`)
	_, err := ffmpeg.NewDecoder(t.Context(), readFunc(func([]byte) (int, error) { panic("oh") }), ffmpeg.Config{Path: echo})
	if err == nil || !strings.Contains(err.Error(), "oh") {
		t.Errorf("got %v, want the panic", err)
	}
	_, err = ffmpeg.NewDecoder(t.Context(), readFunc(func([]byte) (int, error) { return 0, nil }), ffmpeg.Config{Path: echo})
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v, want ErrNoProgress", err)
	}
}

func TestAFloodOfMessagesTakesNoMemory(t *testing.T) {
	path := stand(t, `export PATH=/usr/bin:/bin; head -c 50000000 /dev/zero >&2; yes '[x @ 1] [error] again' | head -c 10000000 >&2; printf '`+wave+`\000\100\000\200'`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := decode(t, strings.NewReader("sound"), ffmpeg.Config{Path: path})
	if got := audiotest.ReadAll(t, d, 10); len(got) != 1 {
		t.Errorf("got %d frames, want 1", len(got))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := after.HeapAlloc; n > before.HeapAlloc+(4<<20) {
		t.Errorf("%d bytes more than before are in use", n-before.HeapAlloc)
	}
}

func TestTheProcessIsRestricted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits for other processes are there on Linux only")
	}
	path := stand(t, `read x; export PATH=/usr/bin:/bin
echo "[error] memory $(ulimit -d) files $(ulimit -f) $(ulimit -c) $(ulimit -n) cpu $(ulimit -t) nice $(nice) dir $(pwd)" >&2
echo "[error] $(tr '\0' ' ' </proc/$$/environ)x" >&2`)
	_, err := ffmpeg.NewDecoder(t.Context(), strings.NewReader("sound\n"), ffmpeg.Config{Path: path, Memory: 100 << 20, CPU: 90 * time.Second})
	const want = "ffmpeg: no sound that it decodes: memory 102400 files 0 0 64 cpu 90 nice 5 dir /; x"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOneThatWorksInVainIsEnded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits for other processes are there on Linux only")
	}
	path := stand(t, `read x; printf '`+wave+`\000\100\000\200'; while :; do :; done`)
	d := decode(t, strings.NewReader("sound\n"), ffmpeg.Config{Path: path, CPU: time.Second})
	var err error
	for err == nil {
		_, err = d.Read(make(frames, 10))
	}
	if !strings.Contains(err.Error(), "signal: CPU time limit exceeded") {
		t.Errorf("got %v, want that it ran out of time", err)
	}
}

// What is decoded earns time.
func TestOneThatWorksWellIsNotEnded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits for other processes are there on Linux only")
	}
	path := stand(t, `read x; export PATH=/usr/bin:/bin; printf '`+wave+`'; head -c 1000000 /dev/zero; read y; echo "[error] $(ulimit -t)" >&2; exit 1`)
	r, w := io.Pipe()
	go io.WriteString(w, "a little sound\n")
	d := decode(t, r, ffmpeg.Config{Path: path, CPU: time.Second})
	for got := 0; got < 250000; { // 31 s
		n, err := d.Read(make(frames, 10000))
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	go w.Close()
	if _, err := d.Read(make(frames, 10)); err == nil || !strings.HasSuffix(err.Error(), ": 31") {
		t.Errorf("got %v, want 31 s", err)
	}
}

func TestASeekBeginsAnew(t *testing.T) {
	// It gives what it is fed, and says where it was told to begin.
	path := stand(t, `printf '`+wave+`'; case "$*" in *"-ss 2 "*) exec tail -c +4001;; esac; exec cat`)
	var sound bytes.Buffer
	for i := range 4000 {
		binaryAppend(&sound, i)
	}
	d := decode(t, bytes.NewReader(sound.Bytes()), ffmpeg.Config{Path: path})
	all := audiotest.ReadAll(t, d, 777)
	if len(all) != 4000 {
		t.Fatalf("got %d frames, want 4000", len(all))
	}
	for _, at := range []int64{0, 1, 256, 3999, 17} {
		if err := d.SeekFrame(at); err != nil {
			t.Fatal(err)
		}
		got := make(frames, 10)
		n, err := d.Read(got)
		if n == 0 || err != nil || !cmp.Equal(got[:n], all[at:at+int64(n)]) {
			t.Errorf("frame %d: got %d other frames, %v", at, n, err)
		}
	}
	if err := d.SeekFrame(1 << 40); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Read(make(frames, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: got %d frames, %v; want io.EOF", n, err)
	}
	if err := d.SeekFrame(-1); err == nil {
		t.Error("a seek to frame -1 was accepted")
	}
	d.Close()
	if err := d.SeekFrame(0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}

func binaryAppend(b *bytes.Buffer, i int) { b.Write([]byte{byte(i), byte(i >> 8), 0, 0}) }

func TestAPipeCannotSeek(t *testing.T) {
	path := stand(t, `printf '`+wave+`'; exec cat`)
	d := decode(t, audiotest.Pipe(strings.NewReader("0123456789abcdef")), ffmpeg.Config{Path: path})
	if err := d.SeekFrame(0); !errors.Is(err, ffmpeg.ErrNotSeekable) || d.Seekable() {
		t.Errorf("got %v, want ErrNotSeekable", err)
	}
}

func TestMessagesTellOfTheSound(t *testing.T) {
	const input = `[aac @ 0x55] [warning] odd
[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'pipe:0':
[info]   Metadata:
[info]     title           : x
[info]                     :   Duration: 99:00:00.00, start
[info]   Duration: 01:02:03.50, start: 0.000000, bitrate: N/A
[info]   Stream #0:0: Video: h264 (avc1), none, 640x480
[info]   Stream #0:1[0x2](und): Audio: wmav2 (a[1][0][0] / 0x0161), 44100 Hz
[info]   Stream #0:2: Audio: aac, 44100 Hz
[info] Stream mapping:
[info]   Duration: 77:00:00.00, start
Consider increasing the value
`
	want := ffmpeg.Told{Container: "mov", Codec: "wmav2", Duration: time.Hour + 2*time.Minute + 3500*time.Millisecond, Spoke: true}
	if diff := cmp.Diff(want, ffmpeg.Report(input)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, ffmpeg.Report(strings.Split(input, "")...)); diff != "" {
		t.Errorf("byte by byte (-want +got):\n%s", diff)
	}
	for text, want := range map[string]time.Duration{
		"N/A": 0, "00:00:01.25": 1250 * time.Millisecond, "1:2": 0, "00:60:00": time.Hour, "00:64:00": 0, "00:00:60": 0, "00:00:NaN": 0, "-1:00:00": 0, "99999:00:00": 0,
	} {
		got := ffmpeg.Report("[info] Input #0, x, from\n[info]   Duration: " + text + ", start\n").Duration
		if got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add("[info] Input #0, aac, from 'pipe:0':\n[info]   Duration: 00:00:03.02, start\n[info]   Stream #0:0: Audio: aac (LC), 44100 Hz\n", 3)
	f.Add("[mov @ 0x1] [error] bad\n[[[", 1)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = min(max(n, 0), len(s))
		got := ffmpeg.Report(s[:n], s[n:])
		for _, text := range []string{got.Codec, got.Container, got.Complaint} {
			if len(text) > 8000 || tags.Clean(text) != text && text[:min(2, len(text))] != ": " {
				t.Errorf("got %q", text)
			}
		}
	})
}

func Example() {
	path, ok := ffmpeg.Find()
	if !ok {
		fmt.Println(ffmpeg.ErrNotInstalled)
		return
	}
	d, err := ffmpeg.NewDecoder(context.Background(), strings.NewReader("not a sound"), ffmpeg.Config{Path: path})
	if errors.Is(err, ffmpeg.ErrFormat) {
		fmt.Println("that cannot be played")
		return
	}
	defer d.Close()
}
