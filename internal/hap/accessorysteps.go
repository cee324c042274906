package hap

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"airplay2mqtt/internal/rtsp"
	"airplay2mqtt/internal/srp"
	"airplay2mqtt/internal/tlv8"
)

// The error codes of TLV8 that an Accessory uses.
const (
	codeUnknown        = 1
	codeAuthentication = 2
	codeBackOff        = 3
)

type setupState struct {
	server    *srp.Server
	transient bool
	secret    []byte // after M4
}

type verifyState struct{ secret, key, ours, theirs []byte }

// reply is an answer with items, or with the error that is configured for it.
func (p *Peer) reply(path string, state byte, items ...tlv8.Item) rtsp.Response {
	if code := p.a.cfg.Errors[fmt.Sprintf("%s M%d", path[1:], state)]; code != 0 {
		return p.refuse(state, code)
	}
	l := append(tlv8.Items{{Tag: tagState, Value: []byte{state}}}, items...)
	return body(l)
}

func (p *Peer) refuse(state, code byte) rtsp.Response {
	p.setup, p.verify, p.finished = nil, nil, false
	l := tlv8.Items{{Tag: tagState, Value: []byte{state}}, {Tag: tagError, Value: []byte{code}}}
	if code == codeBackOff {
		wait := binary.LittleEndian.AppendUint16(nil, uint16(p.a.cfg.BackOff/time.Second))
		l = append(l, tlv8.Item{Tag: tagRetryDelay, Value: wait})
	}
	return body(l)
}

func body(l tlv8.Items) rtsp.Response {
	return rtsp.Response{Code: 200, Reason: "OK", Body: l.AppendTo(nil),
		Header: rtsp.Header{{Name: "Content-Type", Value: "application/octet-stream"}}}
}

func (p *Peer) answerSetup(req rtsp.Request) rtsp.Response {
	in, err := tlv8.Unmarshal(req.Body)
	state, _ := in.Number(tagState)
	switch {
	case err != nil:
		return rtsp.Response{Code: 400, Reason: "Bad Request"}
	case state == 1:
		return p.setup1(in)
	case state == 3 && p.setup != nil:
		return p.setup3(in)
	case state == 5 && p.setup != nil && p.setup.secret != nil:
		return p.setup5(in)
	}
	return p.refuse(byte(state)+1, codeUnknown)
}

func (p *Peer) setup1(in tlv8.Items) rtsp.Response {
	flags, _ := in.Number(tagFlags)
	s := &setupState{transient: flags&flagTransient != 0}
	secret := p.a.shown()
	if s.transient {
		if p.a.cfg.RefusesTransient {
			return rtsp.Response{Code: 470, Reason: "Client Authentication Required"}
		}
		secret = p.a.cfg.Secret
	}
	salt := make([]byte, 16)
	if _, err := io.ReadFull(p.a.cfg.Rand, salt); err != nil {
		return p.refuse(2, codeUnknown)
	}
	var err error
	if s.server, err = srp.HAP.NewServer(user, secret, salt, p.a.cfg.Rand); err != nil {
		return p.refuse(2, codeUnknown)
	}
	p.setup = s
	return p.reply(setupPath, 2, tlv8.Item{Tag: tagSalt, Value: salt}, tlv8.Item{Tag: tagPublicKey, Value: s.server.Public})
}

func (p *Peer) setup3(in tlv8.Items) rtsp.Response {
	proof, err := p.setup.server.Answer(in.Get(tagPublicKey), in.Get(tagProof))
	if err != nil {
		return p.refuse(4, codeAuthentication)
	}
	if p.a.cfg.WrongProof {
		proof[0]++
	}
	p.setup.secret = p.setup.server.Key
	if p.setup.transient {
		p.keys, p.finished = Keys{Secret: p.setup.secret}, true
		p.setup = nil
	}
	return p.reply(setupPath, 4, tlv8.Item{Tag: tagProof, Value: proof})
}

func (p *Peer) setup5(in tlv8.Items) rtsp.Response {
	secret := p.setup.secret
	key := derive(secret, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")
	it, err := open("M5", key, "PS-Msg05", in.Get(tagEncrypted))
	if err != nil {
		return p.refuse(6, codeAuthentication)
	}
	id, public := it.Get(tagIdentifier), it.Get(tagPublicKey)
	theirs := derive(secret, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	if !signed(public, it.Get(tagSignature), theirs, id, public) {
		return p.refuse(6, codeAuthentication)
	}
	p.a.learn(string(id), public)
	ours := derive(secret, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	own := []byte(p.a.cfg.ID)
	p.setup = nil
	return p.reply(setupPath, 6, tlv8.Item{Tag: tagEncrypted, Value: seal(key, "PS-Msg06", tlv8.Items{
		{Tag: tagIdentifier, Value: own}, {Tag: tagPublicKey, Value: p.a.Key()},
		{Tag: tagSignature, Value: p.sign(ours, own, p.a.Key())}})})
}

// sign signs the parts, one behind the other.
func (p *Peer) sign(parts ...[]byte) []byte {
	s := ed25519.Sign(p.a.key, bytes.Join(parts, nil))
	if p.a.cfg.WrongSignature {
		s[0]++
	}
	return s
}

func (p *Peer) answerVerify(req rtsp.Request) rtsp.Response {
	in, err := tlv8.Unmarshal(req.Body)
	state, _ := in.Number(tagState)
	switch {
	case err != nil:
		return rtsp.Response{Code: 400, Reason: "Bad Request"}
	case state == 1:
		return p.verify1(in)
	case state == 3 && p.verify != nil:
		return p.verify3(in)
	}
	return p.refuse(byte(state)+1, codeUnknown)
}

func (p *Peer) verify1(in tlv8.Items) rtsp.Response {
	seed := make([]byte, 32)
	if _, err := io.ReadFull(p.a.cfg.Rand, seed); err != nil {
		return p.refuse(2, codeUnknown)
	}
	private, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return p.refuse(2, codeUnknown)
	}
	v := &verifyState{ours: private.PublicKey().Bytes(), theirs: in.Get(tagPublicKey)}
	if v.secret, err = agree(private, v.theirs); err != nil {
		return p.refuse(2, codeAuthentication)
	}
	v.key = derive(v.secret, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info")
	p.verify = v
	own := []byte(p.a.cfg.ID)
	return p.reply(verifyPath, 2, tlv8.Item{Tag: tagPublicKey, Value: v.ours},
		tlv8.Item{Tag: tagEncrypted, Value: seal(v.key, "PV-Msg02", tlv8.Items{
			{Tag: tagIdentifier, Value: own}, {Tag: tagSignature, Value: p.sign(v.ours, own, v.theirs)}})})
}

func (p *Peer) verify3(in tlv8.Items) rtsp.Response {
	v := p.verify
	it, err := open("M3", v.key, "PV-Msg03", in.Get(tagEncrypted))
	if err != nil {
		return p.refuse(4, codeAuthentication)
	}
	id := it.Get(tagIdentifier)
	if !signed(p.a.keyOf(string(id)), it.Get(tagSignature), v.theirs, id, v.ours) {
		return p.refuse(4, codeAuthentication)
	}
	p.keys, p.finished, p.verify = Keys{Secret: v.secret}, true, nil
	return p.reply(verifyPath, 4)
}
