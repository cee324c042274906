package raoptest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"airplay2mqtt/audio/alac"
)

// A sound is how payloads are to be read.
type sound struct {
	pcm       bool
	encrypted bool
	block     cipher.Block
	iv        []byte
}

// parseSound reads the body of ANNOUNCE.
func parseSound(sdp []byte, key *rsa.PrivateKey) (sound, error) {
	var s sound
	var sealed, fmtp string
	for line := range strings.Lines(string(sdp)) {
		line = strings.TrimRight(line, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "a=rtpmap":
			s.pcm = strings.HasSuffix(value, " L16/44100/2")
		case "a=fmtp":
			fmtp = value
		case "a=rsaaeskey":
			sealed = value
		case "a=aesiv":
			s.iv, _ = base64.RawStdEncoding.DecodeString(value)
		}
	}
	s.encrypted = sealed != "" || s.iv != nil
	switch {
	case s.pcm && fmtp != "": // ends shairport-sync 4
		return s, errors.New("PCM with fmtp")
	case !s.pcm && fmtp != "96 352 0 16 40 10 14 2 255 0 0 44100":
		return s, errors.New("ALAC without the usual fmtp")
	case !s.encrypted:
		return s, nil
	case sealed == "" || len(s.iv) != aes.BlockSize || key == nil:
		return s, errors.New("Header Field Not Valid for Resource")
	}
	b, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return s, err
	}
	secret, err := rsa.DecryptOAEP(sha1.New(), nil, key, b, nil)
	if err != nil {
		return s, err
	}
	s.block, err = aes.NewCipher(secret)
	return s, err
}

// decode reads a payload.
func (s sound) decode(payload []byte) ([][2]int16, error) {
	if s.encrypted {
		payload = append([]byte(nil), payload...)
		whole := len(payload) / aes.BlockSize * aes.BlockSize
		cipher.NewCBCDecrypter(s.block, s.iv).CryptBlocks(payload[:whole], payload[:whole])
	}
	samples := make([]int16, 2*alac.FramesPerPacket)
	frames := len(payload) / 4
	if s.pcm {
		if len(payload) != 4*alac.FramesPerPacket {
			return nil, errors.New("PCM of another length")
		}
		for i := range samples {
			samples[i] = int16(binary.BigEndian.Uint16(payload[2*i:]))
		}
	} else {
		var err error
		if frames, err = alac.DecodeVerbatim(samples, payload); err != nil {
			return nil, err
		}
	}
	out := make([][2]int16, frames)
	for i := range out {
		out[i] = [2]int16{samples[2*i], samples[2*i+1]}
	}
	return out, nil
}

// parsePorts reads the sender's ports from its Transport header.
func parsePorts(transport string) (control, timing int) {
	for part := range strings.SplitSeq(transport, ";") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			continue
		}
		switch name {
		case "control_port":
			control = int(n)
		case "timing_port":
			timing = int(n)
		}
	}
	return control, timing
}

// parseRTPInfo reads "seq=1;rtptime=2".
func parseRTPInfo(value string) (seq uint16, rtptime uint32) {
	for part := range strings.SplitSeq(value, ";") {
		name, number, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			continue
		}
		switch name {
		case "seq":
			seq = uint16(n)
		case "rtptime":
			rtptime = uint32(n)
		}
	}
	return seq, rtptime
}
