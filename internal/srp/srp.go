// Package srp proves to a receiver that a PIN or password is known, without
// saying it: SRP-6a, in the two forms in which AirPlay speaks it.
//
//	c, err := srp.HAP.NewClient("Pair-Setup", "3939", rand.Reader)
//	proof, err := c.Answer(salt, b) // of the receiver; c.Public goes with it
//	err = c.Check(itsProof)
//	secret := c.Key
//
// Numbers are written without leading zeros where they are hashed for proofs
// and keys, and padded to the length of the prime for k and u
// (docs/protocols/airplay2.md, SRP).
package srp

import (
	"crypto/sha1"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
)

// Errors of the other side.
var (
	// ErrNumber is returned for a public number that is none.
	ErrNumber = errors.New("srp: the other side's number is no public key")
	// ErrProof is returned for a proof that is wrong: the other side does not
	// know the secret.
	ErrProof = errors.New("srp: the other side's proof is wrong")
)

// A Profile is a form of the protocol.
type Profile struct {
	prime, base *big.Int
	hash        func() hash.Hash
	key         func(hash func() hash.Hash, s []byte) []byte
}

// The forms.
var (
	// HAP is that of HomeKit: 3072 bits, SHA-512.
	HAP = &Profile{prime: number(prime3072), base: big.NewInt(5), hash: sha512.New, key: hashOnce}
	// Legacy is that of the device authentication of tvOS 10.2: 2048 bits,
	// SHA-1, and a key of two digests.
	Legacy = &Profile{prime: number(prime2048), base: big.NewInt(2), hash: sha1.New, key: hashTwice}
)

func hashOnce(h func() hash.Hash, s []byte) []byte { return sum(h, s) }

func hashTwice(h func() hash.Hash, s []byte) []byte {
	return append(sum(h, s, []byte{0, 0, 0, 0}), sum(h, s, []byte{0, 0, 0, 1})...)
}

func sum(h func() hash.Hash, parts ...[]byte) []byte {
	d := h()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

// secretLength is how many random bytes a private number has.
const secretLength = 32

// A Client is the side that was told the secret.
type Client struct {
	// Public is the number that the receiver is told.
	Public []byte
	// Key is what both sides share, once Answer returned.
	Key []byte

	profile      *Profile
	user, secret []byte
	private      *big.Int
	answer       []byte // our proof
	expected     []byte // the receiver's
}

// NewClient begins. user and secret are hashed as they are.
func (p *Profile) NewClient(user, secret string, random io.Reader) (*Client, error) {
	a, err := draw(random)
	if err != nil {
		return nil, err
	}
	return &Client{
		profile: p, user: []byte(user), secret: []byte(secret), private: a,
		Public: new(big.Int).Exp(p.base, a, p.prime).Bytes(),
	}, nil
}

func draw(random io.Reader) (*big.Int, error) {
	var b [secretLength]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("srp: %w", err)
	}
	return new(big.Int).SetBytes(b[:]), nil
}

// Answer returns our proof for the receiver's salt and public number.
func (c *Client) Answer(salt, public []byte) ([]byte, error) {
	p := c.profile
	b := new(big.Int).SetBytes(public)
	if len(public) > p.size() || new(big.Int).Mod(b, p.prime).Sign() == 0 {
		return nil, ErrNumber
	}
	u := p.scramble(c.Public, b.Bytes())
	if u.Sign() == 0 {
		return nil, ErrNumber
	}
	x := p.verifierExponent(salt, c.user, c.secret)
	// (b - k g^x) ^ (a + u x)
	base := new(big.Int).Exp(p.base, x, p.prime)
	base.Mul(base, p.multiplier())
	base.Sub(b, base).Mod(base, p.prime)
	exponent := new(big.Int).Mul(u, x)
	exponent.Add(exponent, c.private)
	s := new(big.Int).Exp(base, exponent, p.prime)
	c.Key = p.key(p.hash, s.Bytes())
	c.answer = p.proof(c.user, salt, c.Public, b.Bytes(), c.Key)
	c.expected = sum(p.hash, c.Public, c.answer, c.Key)
	return c.answer, nil
}

// Check tells whether the receiver knows the secret too.
func (c *Client) Check(proof []byte) error {
	if len(c.expected) == 0 || subtle.ConstantTimeCompare(proof, c.expected) != 1 {
		return ErrProof
	}
	return nil
}

// size is the length of the prime in bytes.
func (p *Profile) size() int { return (p.prime.BitLen() + 7) / 8 }

// pad fills a number up with zeros in front.
func (p *Profile) pad(b []byte) []byte {
	if len(b) >= p.size() {
		return b
	}
	return append(make([]byte, p.size()-len(b)), b...)
}

func (p *Profile) multiplier() *big.Int {
	return new(big.Int).SetBytes(sum(p.hash, p.prime.Bytes(), p.pad(p.base.Bytes())))
}

func (p *Profile) scramble(a, b []byte) *big.Int {
	return new(big.Int).SetBytes(sum(p.hash, p.pad(a), p.pad(b)))
}

func (p *Profile) verifierExponent(salt, user, secret []byte) *big.Int {
	inner := sum(p.hash, user, []byte(":"), secret)
	return new(big.Int).SetBytes(sum(p.hash, salt, inner))
}

func (p *Profile) proof(user, salt, a, b, key []byte) []byte {
	group := sum(p.hash, p.prime.Bytes())
	for i, v := range sum(p.hash, p.base.Bytes()) {
		group[i] ^= v
	}
	return sum(p.hash, group, sum(p.hash, user), salt, a, b, key)
}
