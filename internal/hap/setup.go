package hap

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/srp"
	"airplay2mqtt/internal/tlv8"
)

const (
	pinPath    = "/pair-pin-start"
	setupPath  = "/pair-setup"
	verifyPath = "/pair-verify"
)

// user is who everybody is in HomeKit.
const user = "Pair-Setup"

// Transient pairs for this connection only. The secret is NoPIN, or the
// password of a receiver that has one. What is said after it is encrypted with
// the keys.
func (c Controller) Transient(ctx context.Context, secret string) (Keys, error) {
	x := &exchange{c: c, path: setupPath, hkp: hkpTransient}
	key, err := x.prove(ctx, func(context.Context) (string, error) { return secret, nil },
		tlv8.Item{Tag: tagMethod, Value: []byte{0}}, tlv8.Item{Tag: tagFlags, Value: []byte{flagTransient}})
	if err != nil {
		return Keys{}, err
	}
	return Keys{Secret: key}, nil
}

// Setup pairs for good. It has the receiver show its PIN and asks pin for it,
// which may take as long as a person takes; the connection must live so long.
// Afterwards the receiver wants Verify.
func (c Controller) Setup(ctx context.Context, pin func(context.Context) (string, error)) (Credentials, error) {
	resp, err := c.Post(ctx, pinPath, c.header(hkpPaired), nil)
	if err != nil {
		return Credentials{}, fmt.Errorf("%s: %w", pinPath[1:], err)
	}
	// Televisions that show a PIN by themselves know nothing of it.
	if err := pairing.Check(pinPath[1:], resp); err != nil && !errors.Is(err, pairing.Because(pairing.NotSpoken)) {
		return Credentials{}, err
	}
	x := &exchange{c: c, path: setupPath, hkp: hkpPaired}
	key, err := x.prove(ctx, pin, tlv8.Item{Tag: tagMethod, Value: []byte{0}})
	if err != nil {
		return Credentials{}, err
	}
	return x.swap(ctx, key)
}

// prove goes from M1 to M4: both sides show that they know the secret. M1 is
// sent before the secret is asked for, because an Apple TV takes it only
// shortly after it began to show the PIN.
func (x *exchange) prove(ctx context.Context, secret func(context.Context) (string, error), first ...tlv8.Item) ([]byte, error) {
	m2, err := x.ask(ctx, first...)
	if err != nil {
		return nil, err
	}
	salt, public := m2.Get(tagSalt), m2.Get(tagPublicKey)
	if len(public) == 0 {
		return nil, &pairing.Error{Step: x.step(2), Reason: pairing.NotSpoken, Code: 200, Detail: "no public key"}
	}
	word, err := secret(ctx)
	if err != nil {
		return nil, err
	}
	client, err := srp.HAP.NewClient(user, word, x.c.random())
	if err != nil {
		return nil, err
	}
	proof, err := client.Answer(salt, public)
	if err != nil {
		return nil, pairing.Nonsense(x.step(2), "%v", err)
	}
	m4, err := x.ask(ctx, tlv8.Item{Tag: tagPublicKey, Value: client.Public}, tlv8.Item{Tag: tagProof, Value: proof})
	if errors.Is(err, pairing.Because(pairing.PINNeeded)) || errors.Is(err, pairing.Because(pairing.Forbidden)) {
		var e *pairing.Error
		errors.As(err, &e)
		return nil, &pairing.Error{Step: e.Step, Reason: pairing.WrongSecret, Code: e.Code}
	}
	if err != nil {
		return nil, err
	}
	if client.Check(m4.Get(tagProof)) != nil {
		return nil, &pairing.Error{Step: x.step(4), Reason: pairing.Imposter, Code: 200, Detail: "its proof is wrong"}
	}
	return client.Key, nil
}

// swap goes from M5 to M6: each side tells the other its lasting key.
func (x *exchange) swap(ctx context.Context, secret []byte) (Credentials, error) {
	seed, err := x.c.draw(ed25519.SeedSize)
	if err != nil {
		return Credentials{}, err
	}
	id, err := x.c.newID()
	if err != nil {
		return Credentials{}, err
	}
	key := derive(secret, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")
	m6, err := x.ask(ctx, tlv8.Item{Tag: tagEncrypted, Value: seal(key, "PS-Msg05", x.c.introduction(secret, seed, id))})
	if err != nil {
		return Credentials{}, err
	}
	it, err := open(x.step(6), key, "PS-Msg06", m6.Get(tagEncrypted))
	if err != nil {
		return Credentials{}, err
	}
	theirs := derive(secret, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	itsID, itsKey := it.Get(tagIdentifier), it.Get(tagPublicKey)
	if !signed(itsKey, it.Get(tagSignature), theirs, itsID, itsKey) {
		return Credentials{}, &pairing.Error{Step: x.step(6), Reason: pairing.Imposter, Code: 200, Detail: "its signature is wrong"}
	}
	return Credentials{ReceiverKey: itsKey, Seed: seed, ReceiverID: string(itsID), ID: id}, nil
}

// introduction is what M5 says of us.
func (c Controller) introduction(secret, seed []byte, id string) tlv8.Items {
	private := ed25519.NewKeyFromSeed(seed)
	public := []byte(private.Public().(ed25519.PublicKey))
	ours := derive(secret, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	l := tlv8.Items{
		{Tag: tagIdentifier, Value: []byte(id)},
		{Tag: tagPublicKey, Value: public},
		{Tag: tagSignature, Value: ed25519.Sign(private, bytes.Join([][]byte{ours, []byte(id), public}, nil))},
	}
	if c.Name != "" {
		l = append(l, tlv8.Item{Tag: tagName, Value: named(c.Name)})
	}
	return l
}

// named is the OPACK dictionary {"name": name}.
func named(name string) []byte {
	const short = 0x20
	name = name[:min(len(name), 255)]
	b := append([]byte{0xe1, 0x40 + 4}, "name"...)
	if len(name) <= short {
		return append(append(b, 0x40+byte(len(name))), name...)
	}
	return append(append(b, 0x61, byte(len(name))), name...)
}

// newID draws an identifier, a UUID.
func (c Controller) newID() (string, error) {
	b, err := c.draw(16)
	if err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
