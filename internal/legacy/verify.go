package legacy

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"

	"airplay2mqtt/internal/pairing"
)

const (
	keySize    = 32
	headerSize = 4
)

// Verify shows a receiver that it is paired with us. Where the credentials
// hold the receiver's key, it has to show the same.
func (c Controller) Verify(ctx context.Context, credentials Credentials) error {
	if err := credentials.check(); err != nil {
		return err
	}
	seed, err := c.draw(keySize)
	if err != nil {
		return err
	}
	private, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return err
	}
	own := ed25519.NewKeyFromSeed(credentials.Seed)
	ours := private.PublicKey().Bytes()
	const step = "pair-verify 1"
	hello := append(append([]byte{1, 0, 0, 0}, ours...), own.Public().(ed25519.PublicKey)...)
	answer, err := c.ask(ctx, step, verifyPath, "application/octet-stream", hello)
	if err != nil {
		return forgotten(err)
	}
	if len(answer) == 0 {
		return &pairing.Error{Step: step, Reason: pairing.NotSpoken, Code: 200, Detail: "an empty answer"}
	}
	if len(answer) != keySize+ed25519.SignatureSize {
		return pairing.Nonsense(step, "%d bytes instead of %d", len(answer), keySize+ed25519.SignatureSize)
	}
	theirs, signature := answer[:keySize], answer[keySize:]
	secret, err := agree(private, theirs)
	if err != nil {
		return pairing.Nonsense(step, "%v", err)
	}
	stream := verifyStream(secret)
	stream.XORKeyStream(signature, signature)
	key := credentials.ReceiverKey
	if key != nil && !ed25519.Verify(key, append(append([]byte{}, theirs...), ours...), signature) {
		return &pairing.Error{Step: step, Reason: pairing.Imposter, Code: 200,
			Detail: "it has another key than when it was paired; if you have reset it, pair again"}
	}
	mine := ed25519.Sign(own, append(append([]byte{}, ours...), theirs...))
	stream.XORKeyStream(mine, mine)
	_, err = c.ask(ctx, "pair-verify 2", verifyPath, "application/octet-stream", append(make([]byte, headerSize), mine...))
	return forgotten(err)
}

func agree(private *ecdh.PrivateKey, public []byte) ([]byte, error) {
	key, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return private.ECDH(key)
}

// forgotten makes of 403 and 470 what they mean to who shows a key.
func forgotten(err error) error {
	if e, ok := err.(*pairing.Error); ok && (e.Code == 403 || e.Code == 470) {
		return &pairing.Error{Step: e.Step, Reason: pairing.Forgotten, Code: e.Code}
	}
	return err
}
