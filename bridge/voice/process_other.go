//go:build !unix

package voice

import (
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

func end(p *os.Process) error { return p.Kill() }
