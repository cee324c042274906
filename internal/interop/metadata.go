//go:build linux

package interop

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An Item is something that a receiver was told beside the sound.
type Item struct {
	Code string // "pvol" volume, "minm" title, "asar" artist, "asal" album, "prgr" progress, "PICT" artwork
	Data []byte
	At   time.Time
}

// Metadata collects the items that shairport-sync writes to a pipe.
type Metadata struct {
	file *os.File

	mu    sync.Mutex
	items []Item
}

// itemLine is an element of the pipe: type and code in hexadecimal, and how
// many bytes of data follow in base64.
var itemLine = regexp.MustCompile(`<item><type>([0-9a-f]{8})</type><code>([0-9a-f]{8})</code><length>(\d+)</length>`)

func readMetadata(path string) (*Metadata, error) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("interop: fifo %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	m := &Metadata{file: f}
	go m.run(bufio.NewReader(f))
	return m, nil
}

func (m *Metadata) run(r *bufio.Reader) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		head := itemLine.FindStringSubmatch(line)
		if head == nil {
			continue
		}
		code, _ := hex.DecodeString(head[2])
		item := Item{Code: string(code), At: time.Now()}
		if size, err := strconv.Atoi(head[3]); err == nil && size > 0 {
			if item.Data, err = readData(r); err != nil {
				return
			}
		}
		m.mu.Lock()
		m.items = append(m.items, item)
		m.mu.Unlock()
	}
}

// readData reads the lines between <data encoding="base64"> and </data>.
func readData(r io.ByteReader) ([]byte, error) {
	var text strings.Builder
	for !strings.HasSuffix(text.String(), "</data>") {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		text.WriteByte(b)
	}
	body := strings.TrimSuffix(text.String(), "</data>")
	_, body, _ = strings.Cut(body, ">")
	data, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(body))
	return data, nil
}

// Since returns the items of a code that came after an instant.
func (m *Metadata) Since(at time.Time, code string) []Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Item
	for _, i := range m.items {
		if i.Code == code && i.At.After(at) {
			found = append(found, i)
		}
	}
	return found
}

// Wait returns the first item of a code after an instant whose data are
// right, and fails the test if there is none within patience.
func (m *Metadata) Wait(t testing.TB, at time.Time, code string, right func(data string) bool) Item {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		for _, i := range m.Since(at, code) {
			if right(string(i.Data)) {
				return i
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the receiver was not told %s as wanted, but: %q", code, m.Since(at, code))
	return Item{}
}
