package ogg

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Flags of a page.
const (
	flagContinued = 1 // its first packet began on a page before
	flagFirst     = 2 // of a logical stream
	flagLast      = 4 // of a logical stream
)

const (
	pageHeader  = 27 // bytes, without the lacing
	maxPageSize = pageHeader + 255 + 255*255
)

// A page is the unit of Ogg: a part of one logical stream, with a sum. Packets
// are cut into segments of 255 bytes; one that is shorter ends its packet.
//
//	OggS | 0 | flags | granule i64 | serial u32 | sequence u32 | crc u32 | n | n lacing values | body
//
// All numbers are little endian. The granule is the position at the end of the
// last packet that ends on the page, -1 if none does.
type page struct {
	flags    byte
	granule  int64
	serial   uint32
	sequence uint32
	lacing   []byte // sizes of the segments
	body     []byte

	offset int64 // of the page in the stream
}

func (p *page) has(flag byte) bool { return p.flags&flag != 0 }

// parsePage reads the page that b begins with. Its slices are parts of b. It
// returns errShort if b may be the beginning of one, and errNoPage if not.
func parsePage(b []byte) (p page, size int, err error) {
	if len(b) < pageHeader {
		return page{}, pageHeader, errShort
	}
	if string(b[:4]) != "OggS" || b[4] != 0 {
		return page{}, 0, errNoPage
	}
	size = pageHeader + int(b[26])
	if len(b) < size {
		return page{}, size, errShort
	}
	lacing := b[pageHeader:size]
	body := size
	for _, n := range lacing {
		size += int(n)
	}
	if len(b) < size {
		return page{}, size, errShort
	}
	if pageSum(b[:size]) != binary.LittleEndian.Uint32(b[22:]) {
		return page{}, 0, errNoPage
	}
	return page{
		flags:    b[5],
		granule:  int64(binary.LittleEndian.Uint64(b[6:])),
		serial:   binary.LittleEndian.Uint32(b[14:]),
		sequence: binary.LittleEndian.Uint32(b[18:]),
		lacing:   lacing,
		body:     b[body:size],
	}, size, nil
}

var (
	errShort  = errors.New("more bytes are needed")
	errNoPage = errors.New("no page")
)

// sumTables hold the effect of each byte on a sum, if so many others come behind
// it: polynomial 04c11db7, highest bits first.
var sumTables = func() (tables [8][256]uint32) {
	for i := range tables[0] {
		sum := uint32(i) << 24
		for range 8 {
			carry := sum >> 31
			sum = sum<<1 ^ carry*0x04c11db7
		}
		tables[0][i] = sum
	}
	for n := range tables[1:] {
		for i, sum := range tables[n] {
			tables[n+1][i] = sum<<8 ^ tables[0][sum>>24]
		}
	}
	return tables
}()

// pageSum is the sum of a page, for which the page's own sum counts as zeros.
func pageSum(b []byte) uint32 {
	sum := addSum(0, b[:22])
	sum = addSum(sum, []byte{0, 0, 0, 0})
	return addSum(sum, b[26:])
}

func addSum(sum uint32, b []byte) uint32 {
	t := &sumTables
	for ; len(b) >= 8; b = b[8:] {
		x, y := sum^binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		sum = t[7][x>>24] ^ t[6][x>>16&0xff] ^ t[5][x>>8&0xff] ^ t[4][x&0xff] ^
			t[3][y>>24] ^ t[2][y>>16&0xff] ^ t[1][y>>8&0xff] ^ t[0][y&0xff]
	}
	for _, c := range b {
		sum = sum<<8 ^ t[0][byte(sum>>24)^c]
	}
	return sum
}

// maxLost is how many bytes in a row may be no page.
const maxLost = 32 << 20

// A pageReader finds pages in a stream, whatever stands between them.
type pageReader struct {
	br      *bufio.Reader
	offset  int64 // of what br reads next
	current int   // size of the page that was returned last
}

func newPageReader(r io.Reader) *pageReader {
	return &pageReader{br: bufio.NewReaderSize(r, maxPageSize+1)}
}

// seek moves to an offset in the stream, which began at base of the reader.
func (r *pageReader) seek(s io.ReadSeeker, base, offset int64) error {
	if _, err := s.Seek(base+offset, io.SeekStart); err != nil {
		return err
	}
	r.br.Reset(s)
	r.offset, r.current = offset, 0
	return nil
}

// next returns the next page with a right sum. Its slices are valid until the
// next call. A page that is cut short by the end of the stream is none.
func (r *pageReader) next() (page, error) {
	r.discard(r.current)
	r.current = 0
	for from := r.offset; ; {
		p, size, err := r.parse()
		if err == nil {
			p.offset, r.current = r.offset, size
			return p, nil
		}
		if !errors.Is(err, errNoPage) {
			return page{}, err
		}
		if r.offset-from > maxLost {
			return page{}, fmt.Errorf("%d bytes without a page: %w", r.offset-from, ErrMalformed)
		}
		r.discard(1)
		r.findCapture()
	}
}

// parse parses the page that comes next, as far as the stream goes. The end of
// the stream is an error only if nothing comes before it.
func (r *pageReader) parse() (page, int, error) {
	need := pageHeader
	for {
		b, err := r.br.Peek(need)
		if err != nil && !ended(err) {
			return page{}, 0, err
		}
		if len(b) == 0 {
			return page{}, 0, io.EOF
		}
		p, size, perr := parsePage(b)
		if perr == nil || errors.Is(perr, errNoPage) {
			return p, size, perr
		}
		if err != nil {
			return page{}, 0, errNoPage // it would be longer than the stream
		}
		need = size
	}
}

// ended tells whether err is the end of a stream, or its being cut short.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// findCapture passes over what is already here and cannot begin a page.
func (r *pageReader) findCapture() {
	b, _ := r.br.Peek(r.br.Buffered())
	if i := bytes.Index(b, []byte("OggS")); i >= 0 {
		r.discard(i)
		return
	}
	r.discard(max(0, len(b)-3))
}

func (r *pageReader) discard(n int) {
	n, _ = r.br.Discard(n)
	r.offset += int64(n)
}
