package ffmpeg

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// attributes put the process into a group of its own, away from the signals of
// a terminal, and make it die with us.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// end kills the process and what it may have started. The caller knows that it
// has not been waited for.
func end(p *os.Process) {
	syscall.Kill(-p.Pid, syscall.SIGKILL)
	p.Kill()
}

const (
	niceness  = 5
	filesMost = 64
)

// restrict makes the process a modest one. Where a system forbids that, as some
// containers do, it runs without.
func restrict(pid int, cfg Config) {
	memory := cfg.Memory
	if memory <= 0 {
		memory = 256 << 20
	}
	syscall.Setpriority(syscall.PRIO_PROCESS, pid, niceness)
	limit(pid, syscall.RLIMIT_DATA, uint64(memory), uint64(memory))
	limit(pid, syscall.RLIMIT_FSIZE, 0, 0) // pipes are no files
	limit(pid, syscall.RLIMIT_CORE, 0, 0)
	limit(pid, syscall.RLIMIT_NOFILE, filesMost, filesMost)
	restrictCPU(pid, cfg, 0)
}

// restrictCPU sets how much processor time the process may have taken when so
// much sound is decoded.
func restrictCPU(pid int, cfg Config, sound time.Duration) {
	cpu := cfg.CPU
	if cpu <= 0 {
		cpu = 30 * time.Second
	}
	seconds := uint64((cpu + sound + time.Second - 1) / time.Second)
	limit(pid, syscall.RLIMIT_CPU, seconds, ^uint64(0))
}

// limit is prlimit(2), which package syscall has, but not for all to use.
func limit(pid, resource int, soft, hard uint64) {
	l := syscall.Rlimit{Cur: soft, Max: hard}
	syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource), uintptr(unsafe.Pointer(&l)), 0, 0, 0)
}
