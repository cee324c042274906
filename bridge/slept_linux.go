package bridge

import (
	"time"

	"golang.org/x/sys/unix"
)

// slept is how long this machine has been asleep since it was started: one of
// its clocks goes on meanwhile, and the one that we keep time by does not.
func slept() time.Duration {
	var always, awake unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &always) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake) != nil {
		return 0
	}
	return time.Duration(always.Nano() - awake.Nano())
}
