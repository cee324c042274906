//go:build unix

package voice

import (
	"os"
	"syscall"
)

// attributes put a program into a group of its own, so that all of it can be
// ended, and away from the signals of a terminal.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// end kills a program and what it has started.
func end(p *os.Process) error {
	if syscall.Kill(-p.Pid, syscall.SIGKILL) == nil {
		return nil
	}
	return p.Kill()
}
