package bridge

import (
	"errors"
	"fmt"
	"syscall"

	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/internal/atomicfile"
)

// openState opens what is kept from one run to the next. Without it the bridge
// works, and says what it will not know after a restart.
func (b *Bridge) openState() {
	b.tryFolder()
	var err error
	b.registry, err = openRegistry(b.cfg.Data)
	b.stateTrouble("registry", err)
	b.journal, err = openJournal(b.cfg.Data)
	b.stateTrouble("journal", err)
	b.vault, err = OpenVault(b.cfg)
	b.stateTrouble("vault", err)
	b.vault.Logger = b.log
}

// tryFolder looks whether anything can be kept.
func (b *Bridge) tryFolder() {
	err := atomicfile.Writable(b.cfg.Data)
	if err != nil {
		err = fmt.Errorf("nothing can be kept in the folder data (%s): %w; names, volumes and pairings are lost at a restart until this user may write there", b.cfg.Data, err)
	}
	b.trouble("data", "data_not_writable", err)
}

// stateTrouble notes why what was kept cannot be used.
func (b *Bridge) stateTrouble(key string, err error) {
	code := "state_unreadable"
	if errors.Is(err, errCorrupt) || errors.Is(err, vault.ErrCorrupt) {
		code = "state_corrupt"
	}
	if b.homeless() && errors.Is(err, syscall.ENOTDIR) {
		err = nil // that there is no folder has been said
	}
	b.trouble(key, code, err)
}

// remember takes over the volumes that players have now.
func (b *Bridge) remember() {
	b.mu.Lock()
	states := b.states
	b.states = map[*device]player.State{}
	b.mu.Unlock()
	for d, s := range states {
		if !b.has(d) {
			continue // it is a ghost of a device that was renamed or removed
		}
		b.follows(d, s.Joined)
		if s.VolumeKnown && !d.isGroup() && (d.record.Volume == nil || *d.record.Volume != s.Chosen) {
			level := s.Chosen
			d.record.Volume = &level
			b.registry.dirty = true
		}
	}
}

// saveBeside writes what is to be remembered, and the switchboard does not wait for
// the disk. Where that fails it is tried again.
func (b *Bridge) saveBeside() {
	if b.saving {
		return
	}
	write, err := b.registry.prepare()
	if write == nil {
		b.saved(err)
		return
	}
	b.saving = true
	b.chores.Go(func() error {
		err := write()
		b.post(func() { b.saving = false; b.saved(err) })
		return nil
	})
}

// save is saveBeside for the end: it waits.
func (b *Bridge) save() {
	b.registry.dirty = b.registry.dirty || b.saving
	b.saved(b.registry.save())
}

// saved tells whether what is to be remembered is.
func (b *Bridge) saved(err error) {
	b.registry.dirty = b.registry.dirty || err != nil
	if err != nil || b.homeless() {
		b.tryFolder()
	}
	if b.homeless() {
		err = nil // that says it all
	}
	b.trouble("save", "data_not_writable", err)
}

// homeless tells whether nothing can be kept.
func (b *Bridge) homeless() bool { return b.problems["data"].Code != "" }
