//go:build unix && !linux

package ffmpeg

import (
	"os"
	"syscall"
	"time"
)

// attributes put the process into a group of its own, away from the signals of
// a terminal. If we die, it ends with its pipes.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// end kills the process and what it may have started. The caller knows that it
// has not been waited for.
func end(p *os.Process) {
	syscall.Kill(-p.Pid, syscall.SIGKILL)
	p.Kill()
}

const niceness = 5

// restrict makes the process a modest one. The limits of another process can be
// set on Linux only.
func restrict(pid int, _ Config) { syscall.Setpriority(syscall.PRIO_PROCESS, pid, niceness) }

func restrictCPU(int, Config, time.Duration) {}
