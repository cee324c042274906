package hap

import "strconv"

// Keys are what a connection is encrypted with after a pairing.
type Keys struct {
	// Secret is what both sides know: 64 bytes after Transient, 32 after
	// Verify.
	Secret []byte
}

// A Channel is the keys of one encrypted connection, as its user needs them.
type Channel struct{ Write, Read []byte }

// Reverse is the channel as the other side needs it.
func (c Channel) Reverse() Channel { return Channel{Write: c.Read, Read: c.Write} }

// Control is the channel of the connection on which the pairing was done.
func (k Keys) Control() Channel {
	return Channel{
		Write: derive(k.Secret, "Control-Salt", "Control-Write-Encryption-Key"),
		Read:  derive(k.Secret, "Control-Salt", "Control-Read-Encryption-Key"),
	}
}

// Events is the channel on which the receiver asks and the sender answers:
// what the receiver writes, is called Write here.
func (k Keys) Events() Channel {
	return Channel{
		Write: derive(k.Secret, "Events-Salt", "Events-Read-Encryption-Key"),
		Read:  derive(k.Secret, "Events-Salt", "Events-Write-Encryption-Key"),
	}
}

// Data is a data channel, by the seed that was told when it was opened.
func (k Keys) Data(seed uint64) Channel {
	salt := "DataStream-Salt" + strconv.FormatUint(seed, 10)
	return Channel{
		Write: derive(k.Secret, salt, "DataStream-Output-Encryption-Key"),
		Read:  derive(k.Secret, salt, "DataStream-Input-Encryption-Key"),
	}
}

// Audio is a key for sound. Receivers take any, for they are told it.
func (k Keys) Audio() []byte { return k.Secret[:32:32] }
