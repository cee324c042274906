package hap

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"errors"

	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/tlv8"
)

// Verify shows a receiver that it is paired with us, and has it show the same.
// What is said after it is encrypted with the keys.
func (c Controller) Verify(ctx context.Context, credentials Credentials) (Keys, error) {
	if err := credentials.check(); err != nil {
		return Keys{}, err
	}
	seed, err := c.draw(32)
	if err != nil {
		return Keys{}, err
	}
	private, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return Keys{}, err
	}
	x := &exchange{c: c, path: verifyPath, hkp: hkpPaired}
	ours := private.PublicKey().Bytes()
	m2, err := x.ask(ctx, tlv8.Item{Tag: tagPublicKey, Value: ours})
	if err != nil {
		return Keys{}, forgotten(err)
	}
	theirs := m2.Get(tagPublicKey)
	secret, err := agree(private, theirs)
	if err != nil {
		return Keys{}, pairing.Nonsense(x.step(2), "%v", err)
	}
	key := derive(secret, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info")
	it, err := open(x.step(2), key, "PV-Msg02", m2.Get(tagEncrypted))
	if err != nil {
		return Keys{}, err
	}
	id := it.Get(tagIdentifier)
	if !bytes.Equal(id, []byte(credentials.ReceiverID)) || !signed(credentials.ReceiverKey, it.Get(tagSignature), theirs, id, ours) {
		return Keys{}, &pairing.Error{Step: x.step(2), Reason: pairing.Imposter, Code: 200,
			Detail: "it is not the one that was paired, or has another key since; if you have reset it, pair again"}
	}
	if err := x.showOurs(ctx, key, credentials, ours, theirs); err != nil {
		return Keys{}, forgotten(err)
	}
	return Keys{Secret: secret}, nil
}

// showOurs is M3 and M4.
func (x *exchange) showOurs(ctx context.Context, key []byte, c Credentials, ours, theirs []byte) error {
	private := ed25519.NewKeyFromSeed(c.Seed)
	signature := ed25519.Sign(private, bytes.Join([][]byte{ours, []byte(c.ID), theirs}, nil))
	_, err := x.ask(ctx, tlv8.Item{Tag: tagEncrypted, Value: seal(key, "PV-Msg03", tlv8.Items{
		{Tag: tagIdentifier, Value: []byte(c.ID)}, {Tag: tagSignature, Value: signature}})})
	return err
}

// forgotten makes of 470, with which some refuse a key that they do not know,
// what it means here.
func forgotten(err error) error {
	var e *pairing.Error
	if errors.As(err, &e) && e.Reason == pairing.PINNeeded {
		return &pairing.Error{Step: e.Step, Reason: pairing.Forgotten, Code: e.Code}
	}
	return err
}
