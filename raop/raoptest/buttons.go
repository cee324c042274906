package raoptest

import "context"

// Sender returns by which DACP-ID who plays, or played last, is to be found,
// and by which Active-Remote the receiver signs what it tells him.
func (r *Receiver) Sender() (dacpID string, activeRemote uint32) { return r.buttons.Sender() }

// Press does what a receiver does when one of its buttons is pressed; see
// dacptest.Panel.
func (r *Receiver) Press(ctx context.Context, server, command string) (code int, err error) {
	return r.buttons.Press(ctx, r.cfg.Network, server, command)
}
