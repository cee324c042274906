package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/pair"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/discovery"
)

// The words of the state key "pairing".
const (
	pairingNotRequired = "not_required"
	pairingRequired    = "required"
	pairingPending     = "pin_pending"
	pairingPaired      = "paired"
	pairingFailed      = "failed"
)

const (
	// pinPatience is how long a PIN is waited for; devices show it no longer.
	pinPatience = 3 * time.Minute
	// finishPatience is how long the rest of a pairing may take.
	finishPatience = 20 * time.Second
	// freeTries is how many wrong PINs are let pass before a wait, which
	// doubles with each further as many.
	freeTries = 3
	firstWait = 30 * time.Second
	longWait  = time.Hour
)

// A pairingDesk is what the switchboard knows of pairing with a device.
type pairingDesk struct {
	attempt *attempt  // nil: none is under way
	failed  bool      // the last attempt was, or the device is not the one that was paired
	asked   bool      // it refused to play because it is not paired
	wrong   int       // PINs since one was right
	until   time.Time // when the next attempt may begin; zero: now
}

// An attempt is a pairing under way, in a goroutine of its own.
type attempt struct {
	cancel context.CancelFunc
	shown  bool       // the device shows its PIN
	pins   chan typed // has room for one
}

// typed is a PIN, and to whom its answer goes.
type typed struct {
	pin  string
	give func(error)
}

// obeyPairing does what is asked on the topics pair and pair_pin.
func (b *Bridge) obeyPairing(word string, o pairOrder, a *answer) {
	d := b.addressee(word, a)
	if d == nil {
		return
	}
	switch o.what {
	case pairStart:
		b.startPairing(d, a)
	case pairCancel:
		if d.desk.attempt == nil {
			a.give(&refusal{"no_pairing_in_progress", "there is no pairing to cancel"})
			return
		}
		d.desk.giveUp()
		b.tellPairing(d)
		a.give(nil)
	case pairRemove:
		a.give(b.unpair(d))
	case pairPIN:
		b.typePIN(d, o.pin, a)
	}
}

// startPairing has a device show its PIN.
func (b *Bridge) startPairing(d *device, a *answer) {
	t := d.target.Load()
	switch wait := time.Until(d.desk.until); {
	case d.desk.attempt != nil:
		a.give(&refusal{"pairing_in_progress", "the device is being paired already; say its PIN on pair_pin, or cancel"})
		return
	case wait > 0:
		a.give(&refusal{"rate_limited", fmt.Sprintf("too many tries; it can be tried again in %v", wait.Round(time.Second))})
		return
	case len(t.pairing) == 0:
		a.give(&refusal{"device_offline", "the device has no known address; is it switched on?"})
		return
	}
	a.accept()
	ctx, cancel := context.WithCancel(b.living)
	at := &attempt{cancel: cancel, pins: make(chan typed, 1)}
	d.desk.attempt = at
	d.log.Info().Msg("pairing begins")
	b.players.Go(func() error {
		defer cancel()
		b.pair(ctx, d, at, t, a)
		return nil
	})
}

// pair goes through an attempt.
func (b *Bridge) pair(ctx context.Context, d *device, at *attempt, t *target, a *answer) {
	p, err := t.startPairing(ctx, pair.Config{DialContext: b.net.dial, Logger: d.log, Protocol: protocolOf(d.override())})
	if err != nil {
		b.post(func() { b.pairingEnded(d, at, err, a.give) })
		return
	}
	defer p.Close()
	b.post(func() { b.pinShown(d, at, a) })
	late := time.NewTimer(pinPatience)
	defer late.Stop()
	select {
	case <-ctx.Done():
	case <-p.Done():
		b.post(func() { b.pairingEnded(d, at, errDeviceLeft, nil) })
	case <-late.C:
		b.post(func() { b.pairingEnded(d, at, errNoPIN, nil) })
	case it := <-at.pins:
		finishing, cancel := context.WithTimeout(ctx, finishPatience)
		defer cancel()
		got, err := p.Finish(finishing, it.pin)
		b.post(func() {
			if err != nil {
				b.pairingEnded(d, at, err, it.give)
				return
			}
			b.paired(d, at, vault.Entry{Credentials: got, Key: t.airplay.PublicKey, Name: d.name(), At: time.Now()}, it.give)
		})
	}
}

var (
	errDeviceLeft = &refusal{"pairing_failed", "the device did not wait for the PIN; begin again"}
	errNoPIN      = &refusal{"pairing_failed", "no PIN was said within three minutes; begin again"}
)

// startPairing tries the addresses of a device.
func (t *target) startPairing(ctx context.Context, cfg pair.Config) (p *pair.Pairing, err error) {
	for _, address := range t.pairing {
		if p, err = pair.Start(ctx, address, t.airplay, &cfg); err == nil || !unreachable(err) {
			return p, err
		}
	}
	return nil, err
}

// pinShown tells that somebody is to read the PIN.
func (b *Bridge) pinShown(d *device, at *attempt, a *answer) {
	if d.desk.attempt != at { // cancelled meanwhile
		a.give(errCancelled)
		return
	}
	at.shown = true
	b.tellPairing(d)
	d.face.happened("pairing_pin_required", nil)
	a.give(nil)
}

var errCancelled = &refusal{"replaced", "the pairing was cancelled"}

// typePIN takes the PIN to the attempt.
func (b *Bridge) typePIN(d *device, pin string, a *answer) {
	at := d.desk.attempt
	if at == nil || !at.shown {
		a.give(&refusal{"no_pairing_in_progress", "the device shows no PIN; begin with pair"})
		return
	}
	select {
	case at.pins <- typed{pin, a.give}:
		at.shown = false // one PIN an attempt
		a.accept()
	default:
		a.give(&refusal{"no_pairing_in_progress", "a PIN was said already"})
	}
}

// giveUp ends the attempt, if there is one, and answers who has just typed.
func (k *pairingDesk) giveUp() {
	if k.attempt == nil {
		return
	}
	k.attempt.cancel()
	select {
	case it := <-k.attempt.pins:
		it.give(errCancelled)
	default:
	}
	k.attempt = nil
}

// pairingEnded is called when an attempt came to nothing. give is told why;
// nil: nobody waits for it.
func (b *Bridge) pairingEnded(d *device, at *attempt, err error, give func(error)) {
	if d.desk.attempt != at {
		err = errCancelled
	} else {
		d.desk.giveUp()
		d.desk.failed = true
		d.countFailure(err, time.Now())
		p := explain(err)
		d.log.Warn().Str("code", p.Code).Msg("pairing failed: " + p.Message)
		d.face.happened("pairing_failed", err)
		b.tellPairing(d)
	}
	if give != nil {
		give(err)
	}
}

// countFailure makes who guesses wait: after three wrong PINs, and as the
// device wants it.
func (d *device) countFailure(err error, now time.Time) {
	var e *pair.Error
	if !errors.As(err, &e) {
		return
	}
	switch e.Kind {
	case pair.Rejected:
		d.desk.wrong++
		if n := d.desk.wrong; n%freeTries == 0 {
			d.desk.until = now.Add(min(firstWait<<min(n/freeTries-1, 10), longWait))
		}
	case pair.BackOff:
		d.desk.until = now.Add(min(cmp.Or(e.Wait, firstWait), longWait))
	}
}

// paired keeps what a pairing has left.
func (b *Bridge) paired(d *device, at *attempt, e vault.Entry, give func(error)) {
	if d.desk.attempt != at {
		give(errCancelled)
		return
	}
	if err := b.vault.Put(d.id(), e); err != nil {
		b.pairingEnded(d, at, err, give)
		return
	}
	d.desk = pairingDesk{}
	b.vaultAge = b.vault.Age()
	d.log.Info().Msg("device paired")
	d.face.happened("paired", nil)
	b.tellPairing(d)
	give(nil)
}

// unpair forgets a device's credentials. The device itself is not told: there
// is no way, and its own list of senders is in its settings.
func (b *Bridge) unpair(d *device) error {
	had, err := b.vault.Remove(d.id())
	switch {
	case err != nil:
		return err
	case !had:
		return &refusal{"not_paired", "the device is not paired with this bridge"}
	}
	d.desk.failed, d.desk.asked = false, false
	d.log.Info().Msg("pairing removed")
	d.face.happened("unpaired", nil)
	b.tellPairing(d)
	return nil
}

// wasRefused learns that a device plays only for whom it is paired with, or is
// not the one that was paired.
func (b *Bridge) wasRefused(d *device, imposter bool) {
	if !b.has(d) {
		return
	}
	d.desk.asked = true
	d.desk.failed = d.desk.failed || imposter
	b.tellPairing(d)
}

// tellPairing tells how it stands with pairing, if that is news.
func (b *Bridge) tellPairing(d *device) {
	d.face.setPairing(d.pairingWord())
	b.tellHome(d)
	b.tellDevices()
}

// lookIntoVault takes over what `bridge pair` has done beside us.
func (b *Bridge) lookIntoVault() {
	age := b.vault.Age()
	if age == b.vaultAge {
		return
	}
	b.vaultAge = age
	for _, d := range b.devices {
		if _, has := b.vault.Get(d.id()); has && d.desk.attempt == nil {
			d.desk.failed, d.desk.asked = false, false
		}
		b.tellPairing(d)
	}
}

// pairingWord is what the state says about pairing.
func (d *device) pairingWord() string {
	decision, has := d.target.Load().decide(d.vault)
	desk := d.desk
	switch {
	case desk.attempt != nil && desk.attempt.shown:
		return pairingPending
	case desk.failed, decision.KeyChanged:
		return pairingFailed
	case has && !desk.asked:
		return pairingPaired
	case desk.asked:
		return pairingRequired
	}
	return wordOf(decision)
}

// wordOf is that of a device with which nothing was tried yet.
func wordOf(d airplay.Decision) string {
	if d.Pairing.NeedsUser() {
		return pairingRequired
	}
	return pairingNotRequired
}

// canPair tells whether pairing is offered in Home Assistant.
func (d *device) canPair() bool {
	return d.target.Load().airplay.CanPair() || d.pairingWord() != pairingNotRequired
}

// decide is which authentication when, with what is kept of the device.
func (t *target) decide(v *vault.Vault) (d airplay.Decision, has bool) {
	e, has := v.Get(t.id)
	return airplay.Decide(t.airplay, airplay.Known{Credentials: e.Credentials, Key: e.Key,
		Password: t.password, Protocol: t.protocol}), has
}

// protocolOf is the protocol that the configuration demands of a device.
func protocolOf(c config.Device) airplay.Protocol {
	switch c.Protocol {
	case "raop":
		return airplay.AirPlay1
	case "airplay":
		return airplay.AirPlay2
	}
	return airplay.AutoProtocol
}

// pairingAddresses is where a device is paired with: where it speaks AirPlay,
// and where it takes sound if that is all that is known.
func pairingAddresses(d discovery.Device, playing []string) []string {
	if d.AirPlay == nil || len(d.Addrs) == 0 {
		return playing
	}
	var list []string
	for _, a := range d.Addrs {
		list = append(list, net.JoinHostPort(a.String(), strconv.Itoa(int(d.AirPlay.Port))))
	}
	return list
}

// setPairing takes over how it stands with pairing.
func (f *face) setPairing(word string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pairing == word {
		return
	}
	f.pairing = word
	if f.shown {
		f.tellSoon()
	}
}

// happened tells an event that is not the player's.
func (f *face) happened(what string, err error) {
	said := struct {
		Type  string   `json:"event_type"`
		Error *problem `json:"error,omitempty"`
	}{Type: what}
	if err != nil {
		p := explain(err)
		said.Error = &problem{p.Code, p.Message}
	}
	f.tell.say(mqtt.Message{Topic: f.topic("event"), Payload: encode(said), QoS: 1})
}
