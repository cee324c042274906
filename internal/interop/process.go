//go:build linux

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// patience bounds every wait that names no time of its own.
const patience = 10 * time.Second

// A Process is a program that runs beside the test. It ends with the process
// that started it, however that ends.
type Process struct {
	Started time.Time
	Output  *Output // both of stdout and stderr

	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// start runs a command. What it reads is input, or nothing if that is nil; env
// is added to the environment.
func start(input io.Reader, env []string, name string, args ...string) (*Process, error) {
	p := newProcess(env, input, name, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.Output, p.Output
	return p, p.run()
}

// startIn runs a command in a folder, with its two outputs apart.
func startIn(dir string, env []string, input io.Reader, stdout, stderr io.Writer, name string, args ...string) (*Process, error) {
	p := newProcess(env, input, name, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, stdout, io.MultiWriter(stderr, p.Output)
	return p, p.run()
}

func newProcess(env []string, input io.Reader, name string, args ...string) *Process {
	p := &Process{Output: &Output{changed: make(chan struct{})}, cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Env = input, append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	return p
}

func (p *Process) run() error {
	p.Started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal; one that comes too late is no error.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("interop: %w", err)
	}
	return nil
}

// Kill ends the process without a word, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end and waits for it. It fails the test if that
// takes longer than patience.
func (p *Process) Stop(t testing.TB) (code int) {
	t.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.Wait(t, patience)
}

// Wait returns the exit code, -1 for a process that was killed. It fails the
// test if the process does not end in time.
func (p *Process) Wait(t testing.TB, limit time.Duration) (code int) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.Kill()
		t.Fatalf("%s still ran after %v:\n%s", p.cmd.Path, limit, p.Output.Tail(30))
	}
	return p.cmd.ProcessState.ExitCode()
}

// Memory is how much of a process is in memory, in bytes.
func (p *Process) Memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		return 0, fmt.Errorf("interop: VmRSS of process %d: %w", p.PID(), err)
	}
	return kilobytes << 10, nil
}

// Files is how many file descriptors a process has open.
func (p *Process) Files() (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("interop: %w", err)
	}
	return len(entries), nil
}

// Work is how much processor time a process has taken, all threads together.
func (p *Process) Work() (time.Duration, error) {
	// The clock of a process, as clock_getcpuclockid makes it.
	clock := ^p.PID()<<3 | 2
	var t syscall.Timespec
	if _, _, err := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0); err != 0 {
		return 0, fmt.Errorf("interop: processor time of process %d: %w", p.PID(), err)
	}
	return time.Duration(t.Nano()), nil
}

// until asks a question again and again until the answer is yes, or fails
// with what was waited for.
func (p *Process) until(what string, yes func() bool) error {
	deadline := time.Now().Add(patience)
	for !yes() {
		select {
		case <-p.done:
			return fmt.Errorf("interop: %s ended (%v) instead of: %s\n%s", p.cmd.Path, p.err, what, p.Output.Tail(20))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("interop: %s: not within %v: %s\n%s", p.cmd.Path, patience, what, p.Output.Tail(20))
		}
	}
	return nil
}

// An Output collects what a process says.
type Output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced when there is more
}

// Write adds to the output.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

// String is everything said so far.
func (o *Output) String() string {
	text, _ := o.now()
	return text
}

// Tail is the last lines.
func (o *Output) Tail(lines int) string {
	all := strings.Split(strings.TrimRight(o.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Wait returns when the words have been said, and fails the test if that is
// not within limit.
func (o *Output) Wait(t testing.TB, words string, limit time.Duration) {
	t.Helper()
	deadline := time.After(limit)
	for {
		text, changed := o.now()
		if strings.Contains(text, words) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%q was not said within %v, but:\n%s", words, limit, o.Tail(30))
		}
	}
}

func (o *Output) now() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}
