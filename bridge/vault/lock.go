package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// rounds make it slow to try keys that people think up.
const (
	rounds    = 100_000
	maxRounds = 10_000_000
	saltSize  = 16
)

// sealed is what was encrypted, by AES-256-GCM with a key that PBKDF2 makes of
// the user's.
type sealed struct {
	Salt   []byte `json:"salt"`
	Rounds int    `json:"rounds"`
	Nonce  []byte `json:"nonce"`
	Data   []byte `json:"data"`
}

// A lock encrypts with one key. It remembers what it made of it, because that
// is slow.
type lock struct {
	key string

	mu     sync.Mutex
	salt   []byte
	rounds int
	aead   cipher.AEAD
}

func newLock(key string) *lock { return &lock{key: strings.TrimSpace(key)} }

// made returns the cipher for a salt.
func (l *lock) made(salt []byte, n int) (cipher.AEAD, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.aead != nil && string(l.salt) == string(salt) && l.rounds == n {
		return l.aead, nil
	}
	key, err := pbkdf2.Key(sha256.New, l.key, salt, n, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	l.salt, l.rounds, l.aead = salt, n, aead
	return aead, nil
}

// current is the salt that was used last, or a new one.
func (l *lock) current() ([]byte, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.aead != nil {
		return l.salt, l.rounds
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return salt, rounds
}

func (l *lock) seal(plain []byte) (sealed, error) {
	salt, n := l.current()
	aead, err := l.made(salt, n)
	if err != nil {
		return sealed{}, err
	}
	s := sealed{Salt: salt, Rounds: n, Nonce: make([]byte, aead.NonceSize())}
	rand.Read(s.Nonce)
	s.Data = aead.Seal(nil, s.Nonce, plain, nil)
	return s, nil
}

// open decrypts. A nil lock has no key.
func (l *lock) open(s sealed) ([]byte, error) {
	if l == nil {
		return nil, ErrLocked
	}
	if s.Rounds < 1 || s.Rounds > maxRounds {
		return nil, fmt.Errorf("%d rounds of PBKDF2 make no sense", s.Rounds)
	}
	aead, err := l.made(s.Salt, s.Rounds)
	if err != nil {
		return nil, err
	}
	if len(s.Nonce) != aead.NonceSize() {
		return nil, errors.New("its nonce has the wrong length")
	}
	plain, err := aead.Open(nil, s.Nonce, s.Data, nil)
	if err != nil {
		return nil, ErrLocked
	}
	return plain, nil
}
