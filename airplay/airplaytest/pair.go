package airplaytest

import (
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/rtsp"
)

// accessory is the half of pairing that a receiver has.
func (r *Receiver) newAccessory(seed []byte) *hap.Accessory {
	cfg := r.cfg
	pin := cfg.PIN
	if cfg.Password != "" {
		pin = cfg.Password
	}
	return hap.NewAccessory(hap.AccessoryConfig{
		ID: cfg.ID, Seed: seed, PIN: pin, Secret: cfg.Secret, RefusesTransient: cfg.NotTransient, WrongProof: cfg.WrongProof,
		NeedsUserAgent: cfg.NeedsUserAgent, NeedsClientName: cfg.NeedsClientName,
		Show: func(string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.pins++
		},
	})
}

// pair answers what is about pairing; ok is false for everything else.
func (c *caller) pair(req rtsp.Request) (resp rtsp.Response, ok bool) {
	resp, ok = c.peer.Answer(req)
	if ok && c.r.cfg.Closed {
		return code(470, "Connection Authorization Required"), true
	}
	if keys, finished := c.peer.Finished(); finished {
		c.keys, c.encrypt = keys, true
	}
	return resp, ok
}
