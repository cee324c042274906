package ffmpeg

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A guest is one run of ffmpeg: the process, what feeds it, and what listens to
// its complaints.
type guest struct {
	stdin, stdout, stderr *os.File // our ends of its pipes
	log                   *report

	gone  chan struct{} // closed when the process is no more
	exit  error         // how it ended; after gone
	fed   chan struct{} // closed when the feeding is over
	input error         // why the input ended, other than at its end; after fed
	heard chan struct{} // closed when it has no more to say
	stop  atomic.Bool   // do not read the input any more

	mu      sync.Mutex
	process *os.Process // nil: not begun, or gone
	doomed  bool        // killed, perhaps before it began
}

// grace is how long is waited for what should have ended already.
const grace = 500 * time.Millisecond

// invite starts ffmpeg. What open returns is fed to it; open is called by the
// goroutine that feeds.
func invite(cfg Config, args []string, open func(stop *atomic.Bool) (io.Reader, error)) (*guest, error) {
	g := &guest{
		log:  newReport(),
		gone: make(chan struct{}), fed: make(chan struct{}), heard: make(chan struct{}),
	}
	cmd := exec.Command(cfg.Path, args...)
	cmd.Env = []string{} // not even a PATH
	cmd.Dir = "/"
	cmd.SysProcAttr = attributes()
	theirs, err := g.connect(cmd)
	if err != nil {
		closeAll(theirs...)
		closeAll(g.stdin, g.stdout, g.stderr)
		return nil, fmt.Errorf("ffmpeg: %w", err)
	}
	begun := make(chan error, 1)
	go g.keep(cmd, theirs, cfg, begun)
	if err := <-begun; err != nil {
		<-g.gone
		closeAll(g.stdin, g.stdout, g.stderr)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("%w (there is no %s)", ErrNotInstalled, cfg.Path)
		}
		return nil, fmt.Errorf("ffmpeg: start: %w", err)
	}
	go g.feed(open)
	go g.listen()
	return g, nil
}

// connect makes the pipes. They are all files of the system's, so that nothing
// but keep and its own goroutines waits for the process.
func (g *guest) connect(cmd *exec.Cmd) (theirs []*os.File, err error) {
	in, out, err := os.Pipe()
	if err != nil {
		return theirs, err
	}
	g.stdin, cmd.Stdin, theirs = out, in, append(theirs, in)
	if in, out, err = os.Pipe(); err != nil {
		return theirs, err
	}
	g.stdout, cmd.Stdout, theirs = in, out, append(theirs, out)
	if in, out, err = os.Pipe(); err != nil {
		return theirs, err
	}
	g.stderr, cmd.Stderr, theirs = in, out, append(theirs, out)
	return theirs, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		f.Close() // nil too
	}
}

// keep starts the process, sets its limits and waits for its end.
func (g *guest) keep(cmd *exec.Cmd, theirs []*os.File, cfg Config, begun chan<- error) {
	defer close(g.gone)
	// On Linux the process dies with the thread that started it, not with the
	// program: no other goroutine may have this thread, and end it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	closeAll(theirs...)
	if err != nil {
		begun <- err
		return
	}
	restrict(cmd.Process.Pid, cfg)
	g.mu.Lock()
	if g.process = cmd.Process; g.doomed {
		end(g.process)
	}
	g.mu.Unlock()
	begun <- nil
	g.exit = cmd.Wait()
	g.mu.Lock()
	g.process = nil
	g.mu.Unlock()
}

// feed hands the sound over. It ends with the sound, or when the process takes
// no more.
func (g *guest) feed(open func(stop *atomic.Bool) (io.Reader, error)) {
	defer close(g.fed)
	defer g.stdin.Close()
	defer func() {
		if p := recover(); p != nil { // in a reader that is not ours
			g.input = fmt.Errorf("ffmpeg: read: %v", p)
		}
	}()
	r, err := open(&g.stop)
	if err != nil {
		g.input = err
		return
	}
	for buf := make([]byte, 32<<10); ; {
		n, err := r.Read(buf)
		if _, closed := g.stdin.Write(buf[:n]); closed != nil {
			return
		}
		if err != nil {
			if err != io.EOF {
				g.input = err
			}
			return
		}
	}
}

// listen takes what the process says, as long as it says anything.
func (g *guest) listen() {
	defer close(g.heard)
	io.Copy(g.log, g.stderr)
	g.log.over()
}

// kill ends the process. It may be called before that has begun.
func (g *guest) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.doomed = true
	if g.process != nil {
		end(g.process)
	}
}

// allow gives the process as much processor time as belongs to that much sound.
func (g *guest) allow(cfg Config, sound time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.process != nil {
		restrictCPU(g.process.Pid, cfg, sound)
	}
}

// dismiss ends all that belongs to the guest, and waits for it. It may be called
// more than once.
func (g *guest) dismiss() {
	g.stop.Store(true)
	g.kill()
	g.leave()
	closeAll(g.stdin, g.stdout, g.stderr)
}

// leave waits for the goroutines of a guest that is going, but not for ever for
// the feeder: it may be in a Read of a reader that is not ours.
func (g *guest) leave() {
	<-g.gone
	// Its children, if a script was put in its place, might still have the pipe.
	g.stderr.SetReadDeadline(time.Now().Add(grace))
	<-g.heard
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-g.fed:
	case <-t.C:
	}
}

// finished tells whether the input is not read any more.
func (g *guest) finished() bool {
	select {
	case <-g.fed:
		return true
	default:
		return false
	}
}

// end is the error for the end of what the process gave: io.EOF if it ended as
// it should.
func (g *guest) end() error {
	t := time.AfterFunc(grace, g.kill)
	<-g.gone
	killed := !t.Stop()
	g.leave()
	switch {
	case g.stop.Load():
		return fs.ErrClosed
	case g.finished() && g.input != nil:
		return g.input
	case g.exit == nil || killed: // it had closed its output, and did not go
		return io.EOF
	}
	return fmt.Errorf("ffmpeg: it broke down: %w%s", g.exit, g.log.complaint())
}

// explain is the error for a process that gave no sound.
func (g *guest) explain() error {
	t := time.AfterFunc(grace, g.kill) // it has a moment to say why
	<-g.gone
	t.Stop()
	g.leave()
	switch {
	case g.stop.Load():
		return fs.ErrClosed
	case g.finished() && g.input != nil:
		return g.input
	case !g.log.spoke():
		return fmt.Errorf("ffmpeg: it does not run: %v%s", g.exit, g.log.complaint())
	}
	return fmt.Errorf("%w%s", ErrFormat, g.log.complaint())
}
