//go:build linux

package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// namespaces is how a process is started that has the network, the mounts and
// the processes to itself. Who is not root becomes root inside.
func namespaces(uid, gid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	return attr
}

// settle makes fresh namespaces a place to live in: loopback, a /run to write
// to, and processes that can be seen.
func settle(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	// Where /proc is covered, as in some containers, it cannot be mounted anew;
	// the old one then shows the numbers of the outside, which only Memory reads.
	_ = syscall.Mount("proc", "/proc", "proc", 0, "")
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := syscall.Sethostname([]byte("interop")); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("loopback: %w: %s", err, out)
	}
	return errors.Join(cover("/etc/hosts", dir, hosts), soleUser(dir))
}

// hosts has the names of the documents: all of them are this machine.
const hosts = "127.0.0.1 localhost interop nas nas.local ha homeassistant homeassistant.local example.org radio.example\n"

// soleUser writes passwd and group files in which every service account is
// root. In namespaces that belong to an ordinary user there is only one user,
// and avahi-daemon insists on handing its folder to another.
func soleUser(dir string) error {
	m, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || wholeRange(m) {
		return err
	}
	files := map[string]string{
		"/etc/passwd": "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\nmessagebus:x:0:0::/:/bin/sh\nmosquitto:x:0:0::/:/bin/sh\n",
		"/etc/group":  "root:x:0:\navahi:x:0:\nmessagebus:x:0:\nmosquitto:x:0:\nnetdev:x:0:\n",
	}
	for target, text := range files {
		err = errors.Join(err, cover(target, dir, text))
	}
	return err
}

// cover puts a text in place of a file, for the processes of this namespace.
func cover(target, dir, text string) error {
	source := filepath.Join(dir, filepath.Base(target))
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("cover %s: %w", target, err)
	}
	return nil
}

// wholeRange tells whether all users of the machine exist in this namespace.
func wholeRange(uidMap []byte) bool {
	var inside, outside, count int
	_, err := fmt.Sscan(string(uidMap), &inside, &outside, &count)
	return err == nil && count > 1
}
