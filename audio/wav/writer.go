package wav

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// A Writer makes a WAV file of 16-bit stereo samples.
type Writer struct {
	w     io.WriteSeeker
	bytes int64
	buf   []byte
}

// headerSize is that of the canonical header: RIFF, fmt and data.
const headerSize = 44

// NewWriter begins a file of so many frames a second.
func NewWriter(w io.WriteSeeker, rate int) (*Writer, error) {
	wr := &Writer{w: w}
	_, err := w.Write(unfinishedHeader(rate))
	return wr, err
}

// unfinishedHeader is that of a file whose length is not known yet.
func unfinishedHeader(rate int) []byte {
	const channels, bits = 2, 16
	b := make([]byte, 0, headerSize)
	b = append(b, "RIFF\xff\xff\xff\xffWAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate)*channels*bits/8)
	b = binary.LittleEndian.AppendUint16(b, channels*bits/8)
	b = binary.LittleEndian.AppendUint16(b, bits)
	return append(b, "data\xff\xff\xff\xff"...)
}

// Write appends samples, left and right in turn.
func (w *Writer) Write(samples []int16) error {
	w.buf = w.buf[:0]
	for _, s := range samples {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(s))
	}
	n, err := w.w.Write(w.buf)
	w.bytes += int64(n)
	return err
}

// Close writes the length into the header. It does not close the file.
func (w *Writer) Close() error {
	if w.bytes > math.MaxUint32-headerSize {
		return errors.New("wav: longer than 4 GiB; the header says that the length is unknown")
	}
	for offset, size := range map[int64]int64{4: w.bytes + headerSize - 8, headerSize - 4: w.bytes} {
		if _, err := w.w.Seek(offset, io.SeekStart); err != nil {
			return err
		}
		if err := binary.Write(w.w, binary.LittleEndian, uint32(size)); err != nil {
			return err
		}
	}
	_, err := w.w.Seek(0, io.SeekEnd)
	return err
}
