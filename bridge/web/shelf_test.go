package web_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/web"
)

// send uploads a file and returns the path to play.
func (h *house) send(name, content string) string {
	h.t.Helper()
	answer, body := h.ask("POST", "/upload?name="+name, strings.NewReader(content))
	var said struct{ Path string }
	if err := json.Unmarshal([]byte(body), &said); err != nil || answer.StatusCode != 201 {
		h.t.Fatalf("upload %s: got %d %s", name, answer.StatusCode, body)
	}
	return said.Path
}

// lies tells whether a file is there.
func (h *house) lies(path string) bool {
	_, err := os.Stat(filepath.Join(h.uploads, path))
	return err == nil
}

func TestUploadedFileGoesWhenItHasBeenPlayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		path := h.send("Song.FLAC", "sound")
		if !strings.HasSuffix(path, ".flac") || strings.ContainsAny(path, "/\\") {
			t.Errorf("path: got %q, want a name of ours that ends with .flac", path)
		}
		if got, err := os.ReadFile(filepath.Join(h.uploads, path)); string(got) != "sound" {
			t.Errorf("file: got %q (%v), want what was sent", got, err)
		}
		h.publish("airplay/kitchen/state", `{"media_file":"`+path+`"}`)
		time.Sleep(time.Hour)
		if !h.lies(path) {
			t.Error("the file is gone while it is played")
		}
		h.publish("airplay/hall/queue", `[{"media_content_id":"`+path+`"}]`)
		h.publish("airplay/kitchen/state", `{"media_file":null}`)
		time.Sleep(time.Hour)
		if !h.lies(path) {
			t.Error("the file is gone while it waits in a queue")
		}
		h.publish("airplay/hall/queue", `[]`)
		time.Sleep(12 * time.Second)
		if h.lies(path) {
			t.Error("the file is there after it was played")
		}
	})
}

func TestUploadedFileThatNobodyPlaysGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		path := h.send("a.mp3", "sound")
		time.Sleep(time.Minute)
		if !h.lies(path) {
			t.Error("the file is gone after a minute")
		}
		time.Sleep(2 * time.Minute)
		if h.lies(path) {
			t.Error("the file is there after three minutes")
		}
	})
}

func TestNamesOfUploadsLeadNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		for _, name := range []string{"../../evil.sh", "..%2f..%2fevil", "a.mp3%00.x", "", ".htaccess", "x.toolongending", "con.a/b"} {
			path := h.send(name, "x")
			if filepath.Base(path) != path || strings.Contains(path, "evil") || !h.lies(path) {
				t.Errorf("%s: got %q", name, path)
			}
		}
	})
}

func TestUploadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil) // with room for 1000 bytes
		answer, body := h.ask("POST", "/upload?name=a.mp3", strings.NewReader(strings.Repeat("x", 1001)))
		if answer.StatusCode != 413 || !strings.Contains(problem(body), "1000 are allowed") {
			t.Errorf("too large: got %d %s, want 413", answer.StatusCode, body)
		}
		h.send("a.mp3", strings.Repeat("x", 600))
		// One that does not say how large it is.
		answer, body = h.ask("POST", "/upload?name=b.mp3", io.MultiReader(strings.NewReader(strings.Repeat("x", 600))))
		if answer.StatusCode != 507 || !strings.Contains(problem(body), "too much lies here") {
			t.Errorf("no room: got %d %s, want 507", answer.StatusCode, body)
		}
		if entries, _ := os.ReadDir(h.uploads); len(entries) != 1 {
			t.Errorf("%d files lie there, want the one that was taken", len(entries))
		}
		time.Sleep(3 * time.Minute)
		h.send("b.mp3", strings.Repeat("x", 1000))
	})
}

func TestUploadThatStallsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		pipe, rest := io.Pipe()
		go rest.Write([]byte("some"))
		began := time.Now()
		answer, _ := h.ask("POST", "/upload?name=a.mp3", pipe)
		rest.Close()
		if answer.StatusCode < 400 || time.Since(began) > time.Minute {
			t.Errorf("got %d after %v, want an error after half a minute", answer.StatusCode, time.Since(began))
		}
		if entries, _ := os.ReadDir(h.uploads); len(entries) != 0 {
			t.Errorf("%d files are left", len(entries))
		}
	})
}

func TestWhatAnEarlierRunLeftIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left string
		h := build(t, func(c *web.Config) {
			left = filepath.Join(c.Uploads, "left.mp3")
			if err := os.MkdirAll(c.Uploads, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(left, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		})
		if _, err := os.Stat(left); err == nil {
			t.Error("it is still there")
		}
		path := h.send("a.mp3", "x")
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if h.lies(path) {
			t.Error("a file is left at the end")
		}
	})
}
