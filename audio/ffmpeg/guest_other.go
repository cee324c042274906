//go:build !unix

package ffmpeg

import (
	"os"
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr { return nil }

func end(p *os.Process) { p.Kill() }

func restrict(int, Config) {}

func restrictCPU(int, Config, time.Duration) {}
