package player_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/player"
)

// occupied is what a dial finds that somebody else plays on.
type occupied struct{ error }

func (occupied) Busy() bool { return true }

func TestABellWaitsAMomentForABusySpeaker(t *testing.T) {
	errOthers := errors.New("somebody else plays")
	for _, test := range []struct {
		name    string
		free    time.Duration // when it is
		command player.Command
		ok      bool
		took    time.Duration
	}{
		{"a bell", time.Second, ring("bell"), true, 1750 * time.Millisecond},
		{"a bell, and it stays busy", time.Hour, ring("bell"), false, 3500 * time.Millisecond},
		{"music", time.Second, player.Play{File: "music"}, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := belfry(t, func(h *house) {
					began, on := time.Now(), h.receiver
					h.receiver = func() (player.Session, error) {
						if time.Since(began) < test.free {
							return nil, occupied{errOthers}
						}
						return on()
					}
				})
				began := time.Now()
				err := <-h.ask(test.command)
				if took := time.Since(began); took != test.took {
					t.Errorf("answered after %v, want %v", took, test.took)
				}
				if (err == nil) != test.ok {
					t.Errorf("got %v, want ok: %v", err, test.ok)
				}
			})
		})
	}
}
