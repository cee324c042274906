//go:build linux

package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A lane is a process that runs tests, one after another, in namespaces of its
// own: it has a network, a house and receivers that no other lane has. Which
// test is next it reads on standard input; how each ended it says between
// what the tests say.
type lane struct {
	dir    string
	cmd    *exec.Cmd
	orders io.WriteCloser
	said   *bufio.Reader
}

// ended begins the line that a lane says after each test.
const ended = "interop: the lane's test ended with code "

// openLane starts a lane. The kernel ends it when the thread that made it ends,
// to which the caller therefore is to be locked.
func openLane() (*lane, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := new(lane)
	if l.dir, err = os.MkdirTemp(os.Getenv(envDir), "lane"); err != nil {
		return nil, err
	}
	l.cmd = exec.Command(self, append(os.Args[1:], "-test.shuffle=off")...) // their order is ours
	l.cmd.Env = append(os.Environ(), envInside+"=namespaces", envLane+"="+l.dir)
	l.cmd.SysProcAttr = namespaces(os.Geteuid(), os.Getegid())
	if l.orders, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	said, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.cmd.Stderr = l.cmd.Stdout
	l.said = bufio.NewReader(said)
	return l, l.cmd.Start()
}

// run has the lane run what a pattern matches, and hands on what is said
// meanwhile, line by line. It fails if the lane ends instead of the tests.
func (l *lane) run(pattern string, say func(line string)) (passed bool, err error) {
	if _, err := io.WriteString(l.orders, pattern+"\n"); err != nil {
		return false, err
	}
	for {
		line, err := l.said.ReadString('\n')
		before, code, over := strings.Cut(line, ended)
		switch {
		case over:
			say(before)
			return strings.TrimSpace(code) == "0", nil
		case strings.Trim(line, "\x16\n") != "PASS" && strings.Trim(line, "\x16\n") != "FAIL": // only one word is the last
			say(line)
		}
		if err != nil {
			return false, errors.New("the lane ended")
		}
	}
}

// close ends the lane and removes what it has left.
func (l *lane) close() error {
	l.orders.Close()
	err := l.cmd.Wait()
	return errors.Join(err, os.RemoveAll(l.dir))
}

// inLane runs the tests that it is told to, until there are no more.
func inLane(m *testing.M) int {
	if err := settle(os.Getenv(envLane)); err != nil {
		return fail(err)
	}
	limit, err := time.ParseDuration(option("timeout"))
	if err != nil {
		return fail(err)
	}
	runtime.GOMAXPROCS(16) // a recorder whose sound has come waits for nobody
	began := time.Now()
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		set("run", orders.Text())
		if limit > 0 {
			set("timeout", (limit - time.Since(began)).String())
		}
		fmt.Printf("%s%d\n", ended, m.Run())
	}
	return 0
}
