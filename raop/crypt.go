package raop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
)

// modulus is the public half of the key that every AirPort Express has. Its
// private half has been public since 2011, so that it hides nothing from
// anybody; some receivers play only what is encrypted with it.
const modulus = "59dE8qLieItsH1WgjrcFRKj6eUWqi+bGLOX1HL3U3GhC/j0Qg90u3sG/1CUtwC5vOYvfDmFI6oSFXi5ELabWJmT2dKHzBJKa3k9ok+8t" +
	"9ucRqMd6DZHJ2YCCLlDRKSKv6kDqnw4UwPdpOMXziC/AMj3Z/lUVX1G7WSHCAWKf1zNS1eLvqr+boEjXuBOitnZ/bDzPHrTOZz0Dew0u" +
	"owxf/+sG+NCK3eQJVxqcaJ/vEHKIVd2M+5qL71yJQ+87X6oV3eaYvt3zWZYD6z5vYTcrtij2VZ9Zmni/UAaHqn9JdsBWLUEpVviYnhim" +
	"NVvYFZeCXg/IdTQ+x4IRdiXNv5hEew=="

func airportKey() *rsa.PublicKey {
	n, err := base64.StdEncoding.DecodeString(modulus)
	if err != nil {
		panic(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
}

// A cbc encrypts payloads by AES-128 in CBC mode. Each begins with the same
// vector, and what is left over of the last block stays as it is.
type cbc struct {
	block   cipher.Block
	key, iv [aes.BlockSize]byte
}

// newCBC draws key and vector.
func newCBC(random io.Reader) (*cbc, error) {
	c := new(cbc)
	for _, b := range [][]byte{c.key[:], c.iv[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, err
		}
	}
	return c, c.init()
}

func (c *cbc) init() (err error) {
	c.block, err = aes.NewCipher(c.key[:])
	return err
}

// encrypt works in place and does not allocate.
func (c *cbc) encrypt(b []byte) {
	previous := c.iv[:]
	for ; len(b) >= aes.BlockSize; b = b[aes.BlockSize:] {
		subtle.XORBytes(b[:aes.BlockSize], b[:aes.BlockSize], previous)
		c.block.Encrypt(b[:aes.BlockSize], b[:aes.BlockSize])
		previous = b[:aes.BlockSize]
	}
}

// sdp returns the lines that hand key and vector to the receiver.
func (c *cbc) sdp(random io.Reader, key *rsa.PublicKey) (string, error) {
	sealed, err := rsa.EncryptOAEP(sha1.New(), random, key, c.key[:], nil)
	if err != nil {
		return "", fmt.Errorf("encrypt the session key: %w", err)
	}
	encode := base64.RawStdEncoding.EncodeToString
	return "a=rsaaeskey:" + encode(sealed) + "\r\na=aesiv:" + encode(c.iv[:]) + "\r\n", nil
}
