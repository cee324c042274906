package player

import (
	"context"
	"time"

	"airplay2mqtt/audio"
)

// What tests of this package look at from outside.

func NewMixer(s Session) *mixer { return newMixer(s) }

// Speak lets clips be heard over what is being sent.
func (m *mixer) Speak(ctx context.Context, bed float64, turned time.Duration, clips ...*audio.Clip) (*overlay, error) {
	o, err := m.seize(ctx)
	if err != nil {
		return nil, err
	}
	return o, o.speak(ctx, newReel(clips, 0), time.Time{}, bed, turned)
}

func (m *mixer) Taken() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}
