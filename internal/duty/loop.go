package duty

import "time"

// A Bell wakes a loop. Make it with NewBell.
type Bell chan struct{}

// NewBell returns a bell that was not rung.
func NewBell() Bell { return make(Bell, 1) }

// Ring wakes who waits, or makes who does not wait yet look once more. It never
// waits.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// Loop looks after something until over is closed: when the bell is rung, and
// when as much time has passed as look returned.
func Loop(over <-chan struct{}, bell Bell, look func() time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-over:
			return
		case <-bell:
		case <-timer.C:
		}
		timer.Reset(look())
	}
}
