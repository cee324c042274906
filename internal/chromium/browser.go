package chromium

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// programs are what Chromium is called, the likeliest first.
var programs = []string{"chromium", "chromium-browser", "google-chrome"}

// patience bounds the wait for anything.
const patience = 30 * time.Second

// A Browser is a running Chromium. Its methods may be called by any goroutine.
type Browser struct {
	cmd  *exec.Cmd
	pipe *os.File // what it is told
	wg   sync.WaitGroup

	mu      sync.Mutex
	count   int
	waiting map[int]chan reply
	pages   map[string]*Page // by session
	over    error            // why it says nothing more
}

// A request is what Chromium is told.
type request struct {
	ID        int    `json:"id"`
	SessionID string `json:"sessionId,omitempty"`
	Method    string `json:"method"`
	Params    any    `json:"params,omitempty"`
}

// A response is what it says: with an ID an answer, else what happened.
type response struct {
	ID        int
	SessionID string
	Method    string
	Params    json.RawMessage
	Result    json.RawMessage
	Error     *struct{ Message string }
}

type reply struct {
	result json.RawMessage
	err    error
}

// Open starts a browser, which ends with the test. Where there is none the test
// is skipped, or fails if CI is set.
func Open(t testing.TB) *Browser {
	t.Helper()
	path := ""
	for _, name := range programs {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	switch {
	case path != "":
	case os.Getenv("CI") != "":
		t.Fatal("there is no Chromium; scripts/setup installs it")
	default:
		t.Skip("there is no Chromium; scripts/setup installs it")
	}
	b, err := start(path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// start starts a program with a profile of its own.
func start(path, profile string) (*Browser, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	b := &Browser{pipe: ours, waiting: map[int]chan reply{}, pages: map[string]*Page{}}
	// Only pages of ours are shown, so that it may run where it cannot lock
	// itself in: as root, in a container.
	b.cmd = exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio", "--hide-scrollbars",
		"--force-color-profile=srgb", "--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	b.cmd.ExtraFiles = []*os.File{theirs, to}
	b.cmd.Env = append(os.Environ(), "HOME="+profile)
	err = b.cmd.Start()
	theirs.Close()
	to.Close()
	if err != nil {
		ours.Close()
		from.Close()
		return nil, fmt.Errorf("chromium: %w", err)
	}
	b.wg.Go(func() { b.read(from) })
	return b, nil
}

// close ends the browser and waits for it.
func (b *Browser) close() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.call("", "Browser.close", nil)
		b.pipe.Close()
		b.wg.Wait()
		_ = b.cmd.Wait()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		_ = b.cmd.Process.Kill()
		<-done
	}
}

// read hears what Chromium says: JSON, and a zero byte after each.
func (b *Browser) read(from *os.File) {
	defer from.Close()
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			b.end(errors.New("chromium: it has ended"))
			return
		}
		var m response
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			b.end(fmt.Errorf("chromium: %w", err))
			return
		}
		b.mu.Lock()
		answer, page := b.waiting[m.ID], b.pages[m.SessionID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		switch {
		case answer != nil && m.Error != nil:
			answer <- reply{err: errors.New(m.Error.Message)}
		case answer != nil:
			answer <- reply{result: m.Result}
		case page != nil:
			page.happened(m.Method, m.Params)
		}
	}
}

// end answers all who wait.
func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = err
	for id, answer := range b.waiting {
		answer <- reply{err: err}
		delete(b.waiting, id)
	}
}

// call has something done and waits for the answer.
func (b *Browser) call(session, method string, params any) (json.RawMessage, error) {
	answer := make(chan reply, 1)
	b.mu.Lock()
	if b.over != nil {
		b.mu.Unlock()
		return nil, b.over
	}
	b.count++
	m := request{ID: b.count, SessionID: session, Method: method, Params: params}
	text, err := json.Marshal(m)
	if err == nil {
		b.waiting[m.ID] = answer
		_, err = b.pipe.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("chromium: %s: %w", method, err)
	}
	select {
	case r := <-answer:
		if r.err != nil {
			return nil, fmt.Errorf("chromium: %s: %w", method, r.err)
		}
		return r.result, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("chromium: %s: no answer within %v", method, patience)
	}
}
