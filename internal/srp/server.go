package srp

import (
	"crypto/subtle"
	"io"
	"math/big"
)

// A Server is the side that shows or sets the secret: for fakes, which are
// receivers in tests and demonstrations.
type Server struct {
	// Public and Salt are what the sender is told.
	Public, Salt []byte
	// Key is what both sides share, once Answer returned.
	Key []byte

	profile           *Profile
	user              []byte
	private, verifier *big.Int
}

// NewServer begins.
func (p *Profile) NewServer(user, secret string, salt []byte, random io.Reader) (*Server, error) {
	b, err := draw(random)
	if err != nil {
		return nil, err
	}
	x := p.verifierExponent(salt, []byte(user), []byte(secret))
	v := new(big.Int).Exp(p.base, x, p.prime)
	public := new(big.Int).Mul(p.multiplier(), v)
	public.Add(public, new(big.Int).Exp(p.base, b, p.prime)).Mod(public, p.prime)
	return &Server{Public: public.Bytes(), Salt: salt, profile: p, user: []byte(user), private: b, verifier: v}, nil
}

// Answer checks the sender's proof and returns ours.
func (s *Server) Answer(public, proof []byte) ([]byte, error) {
	p := s.profile
	a := new(big.Int).SetBytes(public)
	if len(public) > p.size() || new(big.Int).Mod(a, p.prime).Sign() == 0 {
		return nil, ErrNumber
	}
	u := p.scramble(a.Bytes(), s.Public)
	// (a v^u) ^ b
	base := new(big.Int).Exp(s.verifier, u, p.prime)
	base.Mul(base, a).Mod(base, p.prime)
	s.Key = p.key(p.hash, new(big.Int).Exp(base, s.private, p.prime).Bytes())
	if want := p.proof(s.user, s.Salt, a.Bytes(), s.Public, s.Key); subtle.ConstantTimeCompare(proof, want) != 1 {
		return nil, ErrProof
	}
	return sum(p.hash, a.Bytes(), proof, s.Key), nil
}
