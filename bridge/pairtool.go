package bridge

import (
	"context"
	"time"

	"airplay2mqtt/airplay/pair"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop"
)

// Pair pairs with a device beside a bridge, for the command line: pin is
// called when the device shows its PIN. What it leaves goes into v, where a
// bridge that runs finds it.
func Pair(ctx context.Context, found discovery.Device, override config.Device, v *vault.Vault, cfg pair.Config,
	pin func(context.Context) (string, error)) error {
	t := targetOf(found, override)
	cfg.Protocol = t.protocol
	if len(t.pairing) == 0 {
		return &refusal{"device_offline", "the device has no known address; is it switched on?"}
	}
	p, err := t.startPairing(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	word, err := pin(ctx)
	if err != nil {
		return err
	}
	finishing, cancel := context.WithTimeout(ctx, finishPatience)
	defer cancel()
	got, err := p.Finish(finishing, word)
	if err != nil {
		return err
	}
	return v.Put(IDOf(found), vault.Entry{Credentials: got, Key: t.airplay.PublicKey, Name: found.Name, At: time.Now()})
}

// IDOf is the id under which a device is known.
func IDOf(found discovery.Device) string {
	if found.ID == "" {
		return staticID(found.Name)
	}
	return found.ID
}

// Prove completes how a device is played to by what a pairing has left.
func Prove(cfg raop.Config, found discovery.Device, v *vault.Vault) raop.Config {
	if e, ok := v.Get(IDOf(found)); ok && e.Credentials.Legacy() {
		cfg.Credentials, cfg.ReceiverKey = e.Credentials.Text(), e.Credentials.ReceiverKey
	}
	return cfg
}

// OpenVault opens where what pairings leave is kept. It is usable also where
// there is an error.
func OpenVault(cfg config.Config) (*vault.Vault, error) {
	key, err := cfg.Credentials.Secret()
	if err != nil {
		// With no key nothing that is encrypted is opened or written over.
		v, _ := vault.Open(cfg.Data, "")
		return v, err
	}
	return vault.Open(cfg.Data, key)
}
