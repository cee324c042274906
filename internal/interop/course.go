//go:build linux

package interop

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// beside is how many lanes there are at once: tests wait for sound most of the
// time, and two cores can do that for three.
const beside = 3

// A course is tests that are run, in lanes, and what has become of them.
type course struct {
	mu     sync.Mutex // guards what follows, and lets lanes speak one at a time
	failed []string
	final  bool // something failed that no second try excuses
}

// all runs the tests that are asked for: at first those that may run beside one
// another, then those that measure, and at last those once more that failed.
// Real parts on a busy machine are late now and then, which says nothing, but
// what fails twice fails. More than a few are final at once, unless the machine
// stood still during all of them.
func all(measure []string) (code int, err error) {
	const few = 4
	tests, err := asked()
	if err != nil {
		return 0, err
	}
	measuring, others, err := parted(tests, measure)
	if err != nil {
		return 0, err
	}
	var c course
	if err := errors.Join(c.run(beside, others), c.run(1, measuring)); err != nil {
		return 0, err
	}
	why := "few failed"
	if excused(os.Getenv(envDir), c.failed) {
		why = "the machine stood still during all that failed"
	} else if len(c.failed) > few {
		c.final = true
	}
	if again := c.failed; len(again) > 0 && !c.final {
		fmt.Printf("interop: %s; once more: %s\n", why, strings.Join(again, " "))
		c = course{}
		for i := range again {
			again[i] = only(again[i])
		}
		if err := c.run(1, again); err != nil {
			return 0, err
		}
	}
	if len(c.failed) > 0 || c.final {
		fmt.Println("FAIL")
		return 1, nil
	}
	fmt.Println("PASS")
	return 0, nil
}

// asked lists the tests that are asked for, as patterns, in the order in which
// to run them. What asks for parts of tests, or for something else than tests,
// is one pattern.
func asked() ([]string, error) {
	pattern := option("run")
	if strings.Contains(pattern, "/") || option("bench") != "" || option("fuzz") != "" {
		return []string{pattern}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(self, "-test.list="+cmp.Or(pattern, ".")).Output()
	if err != nil {
		return nil, fmt.Errorf("interop: list the tests: %w", err)
	}
	tests := []string{}
	for line := range strings.Lines(string(list)) {
		if test := strings.TrimSpace(line); strings.HasPrefix(test, "Test") {
			tests = append(tests, only(test))
		}
	}
	return tests, shuffle(tests)
}

// parted takes out of the tests those that measure. A name that is none is a
// mistake, unless only some tests are asked for.
func parted(tests, measure []string) (measuring, others []string, err error) {
	for _, test := range measure {
		if option("run") == "" && !slices.Contains(tests, only(test)) {
			return nil, nil, fmt.Errorf("interop: TestMain names %s, which is no test", test)
		}
	}
	for _, test := range tests {
		if slices.Contains(measure, name(test)) {
			measuring = append(measuring, test)
		} else {
			others = append(others, test)
		}
	}
	return measuring, others, nil
}

// only is the pattern of one test, and name the test of a pattern.
func only(test string) string { return "^" + test + "$" }
func name(only string) string { return strings.Trim(only, "^$") }

// shuffle brings tests into the order that the flag wants, and says which it is.
func shuffle(tests []string) error {
	wanted := option("shuffle")
	if wanted == "off" {
		return nil
	}
	seed := time.Now().UnixNano()
	if wanted != "on" {
		var err error
		if seed, err = strconv.ParseInt(wanted, 10, 64); err != nil {
			return fmt.Errorf("interop: -shuffle: %w", err)
		}
	}
	fmt.Println("-test.shuffle", seed)
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	r.Shuffle(len(tests), func(i, j int) { tests[i], tests[j] = tests[j], tests[i] })
	return nil
}

// run runs tests in at most so many lanes, and returns when all are over.
func (c *course) run(lanes int, tests []string) error {
	queue := make(chan string, len(tests))
	for _, test := range tests {
		queue <- test
	}
	close(queue)
	var running errgroup.Group
	for range min(lanes, len(tests)) {
		running.Go(func() error {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			return c.drive(queue, lanes == 1)
		})
	}
	return running.Wait()
}

// drive has one lane run tests until there are no more. What it says is shown
// at once if it is alone, else when a test is over.
func (c *course) drive(queue <-chan string, alone bool) error {
	l, err := openLane()
	if err != nil {
		return err
	}
	defer l.close()
	for test := range queue {
		var text strings.Builder
		passed, err := l.run(test, func(line string) {
			text.WriteString(line)
			if alone {
				os.Stdout.WriteString(line)
			}
		})
		c.note(test, passed && err == nil, text.String(), alone)
		if err != nil {
			c.over(test, err)
			return nil
		}
		if !passed && option("failfast") == "true" {
			for range queue {
			}
		}
	}
	return nil
}

// note remembers how a test ended. A race is no accident of time.
func (c *course) note(test string, passed bool, text string, shown bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !shown {
		os.Stdout.WriteString(text)
	}
	if passed {
		return
	}
	c.failed = append(c.failed, name(test))
	c.final = c.final || test != only(name(test)) || strings.Contains(text, "DATA RACE") || strings.Contains(text, "raced")
}

// over says that a lane ended during a test, as after a panic.
func (c *course) over(test string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final = true
	fmt.Printf("interop: %v during %s\n", err, name(test))
}
