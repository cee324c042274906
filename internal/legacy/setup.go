package legacy

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/srp"
)

// uxPlay is what UxPlay calls itself, after the Apple TV that it is like.
const uxPlay = "AirTunes/220.68"

// Setup pairs for good: it has the receiver show its PIN and asks pin for it,
// which may take as long as a person takes.
func (c Controller) Setup(ctx context.Context, pin func(context.Context) (string, error)) (Credentials, error) {
	if _, err := c.ask(ctx, pinPath[1:], pinPath, "application/octet-stream", nil); err != nil {
		return Credentials{}, err
	}
	id, err := c.draw(idSize)
	if err != nil {
		return Credentials{}, err
	}
	credentials := Credentials{ID: fmt.Sprintf("%X", id)}
	const step = "pair-setup-pin 1"
	hello, err := c.askList(ctx, step, plist.Dict{"method": "pin", "user": credentials.ID})
	if err != nil {
		return Credentials{}, err
	}
	word, err := pin(ctx)
	if err != nil {
		return Credentials{}, err
	}
	client, err := srp.Legacy.NewClient(credentials.ID, word, c.random())
	if err != nil {
		return Credentials{}, err
	}
	proof, err := client.Answer(hello.Bytes("salt"), hello.Bytes("pk"))
	if err != nil {
		return Credentials{}, pairing.Nonsense(step, "%v", err)
	}
	if err := c.prove(ctx, client, proof); err != nil {
		return Credentials{}, err
	}
	if credentials.Seed, err = c.draw(ed25519.SeedSize); err != nil {
		return Credentials{}, err
	}
	credentials.ReceiverKey, err = c.swap(ctx, client.Key, credentials.Seed)
	return credentials, err
}

// prove has both sides show that they know the PIN.
func (c Controller) prove(ctx context.Context, client *srp.Client, proof []byte) error {
	const step = "pair-setup-pin 2"
	answer, err := c.askList(ctx, step, plist.Dict{"pk": client.Public, "proof": proof})
	var e *pairing.Error
	if errors.As(err, &e) && e.Code == 470 && e.Server == uxPlay {
		// UxPlay 1.73.7 refuses proofs that have not 64 bytes, of which it
		// looks at the first 20, and is ready for another. Later ones are not.
		long := append(bytes.Clone(proof), make([]byte, longProof-len(proof))...)
		answer, err = c.askList(ctx, step, plist.Dict{"pk": client.Public, "proof": long})
	}
	if errors.As(err, &e) && (e.Code == 470 || e.Code == 403) {
		return &pairing.Error{Step: step, Reason: pairing.WrongSecret, Code: e.Code}
	}
	if err != nil {
		return err
	}
	if client.Check(answer.Bytes("proof")) != nil {
		return &pairing.Error{Step: step, Reason: pairing.Imposter, Code: 200, Detail: "its proof is wrong"}
	}
	return nil
}

// swap tells the receiver our key and returns its own.
func (c Controller) swap(ctx context.Context, secret, seed []byte) ([]byte, error) {
	const step = "pair-setup-pin 3"
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	aead, nonce := setupCipher(secret, 1)
	sealed := aead.Seal(nil, nonce, public, nil)
	answer, err := c.askList(ctx, step, plist.Dict{"epk": sealed[:len(public)], "authTag": sealed[len(public):]})
	if err != nil {
		return nil, err
	}
	aead, nonce = setupCipher(secret, 2)
	key, err := aead.Open(nil, nonce, append(answer.Bytes("epk"), answer.Bytes("authTag")...), nil)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, &pairing.Error{Step: step, Reason: pairing.Imposter, Code: 200, Detail: "its key cannot be read"}
	}
	return key, nil
}
