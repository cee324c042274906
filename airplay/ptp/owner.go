package ptp

import (
	"bufio"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// ownerOf finds out who has a UDP port, from the /proc of Linux: "nqptp
// (process 812)", or "" where that cannot be seen.
func ownerOf(proc fs.FS, port int) string {
	inodes := map[string]bool{}
	for _, table := range []string{"net/udp", "net/udp6"} {
		socketsOn(proc, table, port, inodes)
	}
	if len(inodes) == 0 {
		return ""
	}
	processes, _ := fs.ReadDir(proc, ".")
	for _, p := range processes {
		pid := p.Name()
		if _, err := strconv.Atoi(pid); err != nil || !holds(proc, pid, inodes) {
			continue
		}
		name, err := fs.ReadFile(proc, pid+"/comm")
		if err != nil {
			return "process " + pid
		}
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// socketsOn gathers the inodes of the sockets with that port. A line of the
// table begins
//
//	sl  local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
//	12: 00000000:013F 00000000:0000 07 … 0 0 21934
func socketsOn(proc fs.FS, table string, port int, inodes map[string]bool) {
	f, err := proc.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) > 9 && strings.HasSuffix(words[1], fmt.Sprintf(":%04X", port)) {
			inodes[words[9]] = true
		}
	}
}

// holds tells whether a process has one of these sockets open.
func holds(proc fs.FS, pid string, inodes map[string]bool) bool {
	files, err := fs.ReadDir(proc, pid+"/fd")
	if err != nil {
		return false
	}
	for _, file := range files {
		to, err := fs.ReadLink(proc, pid+"/fd/"+file.Name())
		inode, ok := strings.CutPrefix(to, "socket:[")
		if err == nil && ok && inodes[strings.TrimSuffix(inode, "]")] {
			return true
		}
	}
	return false
}
