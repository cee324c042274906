package audio_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
)

var playlists = []struct {
	name, text string
	want       []audio.Entry
}{
	{"m3u", "#EXTM3U\r\n#EXTINF:123 tvg=\"x\",A - One, two\r\na b.mp3\r\n\r\n#x\r\nhttp://h/b\r\n", []audio.Entry{
		{Location: "a b.mp3", Title: "A - One, two", Duration: 123 * time.Second}, {Location: "http://h/b"}}},
	{"radio", "#EXTINF:-1,R\u00e4dio\nhttp://h/", []audio.Entry{{Location: "http://h/", Title: "Rädio"}}},
	{"latin", "caf\xe9.mp3", []audio.Entry{{Location: "café.mp3"}}},
	{"nonsense", "#EXTINF:1e999,x\na\n#EXTINF:nan\nb", []audio.Entry{{Location: "a", Title: "x"}, {Location: "b"}}},
	{"pls", "[playlist]\nTitle2=Two\nFile2=b\nLength2=-1\nFile1=a\nLength1=60\nFile=c\nFile3=\nTitle4=x\n", []audio.Entry{
		{Location: "a", Duration: time.Minute}, {Location: "b", Title: "Two"}}},
	{"xspf", `<?xml version="1.0" encoding="UTF-8"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><title>List</title><trackList>
		<track><location>http://h/a?x=1&amp;y=2</location><location>http://h/other</location><title>One</title><creator>A</creator><duration>1500</duration></track>
		<track><title>nowhere</title></track>
		<track><location> b%20c.mp3 </location><duration>x</duration></track></trackList></playlist>`, []audio.Entry{
		{Location: "http://h/a?x=1&y=2", Title: "A - One", Duration: 1500 * time.Millisecond}, {Location: "b%20c.mp3"}}},
	{"xspf in latin", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><playlist><trackList><track><location>caf\xe9</location></track></trackList></playlist>",
		[]audio.Entry{{Location: "café"}}},
	{"xspf cut", `<playlist><trackList><track><location>a</location></track><track><loca`, []audio.Entry{{Location: "a"}}},
	{"xspf with entities", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><playlist><trackList><track><location>&e;</location></track></trackList></playlist>`, nil},
	{"xspf deep", "<playlist>" + strings.Repeat("<a>", 1000) + "<track><location>a</location></track>", nil},
}

func TestPlaylistsAreReadWithTitles(t *testing.T) {
	for _, p := range playlists {
		if diff := cmp.Diff(p.want, audio.ParsePlaylist([]byte(p.text))); diff != "" {
			t.Errorf("%s: %s", p.name, diff)
		}
	}
}

func FuzzPlaylists(f *testing.F) {
	for _, p := range playlists {
		f.Add([]byte(p.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries := audio.ParsePlaylist(text)
		if len(entries) > 1000 {
			t.Errorf("got %d entries", len(entries))
		}
		for _, e := range entries {
			if e.Location == "" || e.Duration < 0 {
				t.Errorf("got %+v", e)
			}
		}
	})
}

// house makes files in a fresh folder. What ends in .wav is a sound.
func house(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// locations of entries below a folder.
func locations(dir string, entries []audio.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, strings.TrimPrefix(e.Location, dir+"/"))
	}
	return all
}

func TestFoldersAreListedInTheOrderOfNames(t *testing.T) {
	sound := string(wave(44100, noise(10)))
	dir := house(t, map[string]string{
		"10 b.wav": sound, "9 a.wav": sound, "CD2/1.mp3": "", "CD10/1.flac": "", "notes.txt": "hello", "cover.jpg": "\xff\xd8\xff\xe0",
		"unnamed": sound, ".hidden.wav": sound, "list.m3u": "9 a.wav", "a/b/c/deep.wav": sound, "a/b/less.wav": sound,
	})
	var o audio.Opener
	entries, err := o.Entries(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"9 a.wav", "10 b.wav", "a/b/less.wav", "CD2/1.mp3", "CD10/1.flac", "unnamed"}
	if diff := cmp.Diff(want, locations(dir, entries)); diff != "" {
		t.Error(diff)
	}
	many := t.TempDir()
	for i := range 1200 {
		if err := os.WriteFile(filepath.Join(many, fmt.Sprint(i, ".mp3")), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err = o.Entries(t.Context(), many); err != nil || len(entries) != 1000 || !strings.HasSuffix(entries[999].Location, "/999.mp3") {
		t.Errorf("got %d entries, %v", len(entries), err)
	}
	if entries, err = o.Entries(t.Context(), t.TempDir()); !errors.Is(err, audio.ErrUnsupported) {
		t.Errorf("an empty folder: got %v, %v, want ErrUnsupported", entries, err)
	}
}

func TestPlaylistsInPlaylistsAreListed(t *testing.T) {
	dir := house(t, map[string]string{
		"all.m3u":     "one.wav\nsub/two.pls\nhttp://h/three\nfile://DIR/four.wav\n/etc/passwd\n../up.wav\nftp://h/x\n",
		"sub/two.pls": "[playlist]\nFile1=2.wav\n", "x.xspf": "<playlist><trackList><track><location>a%20b.wav</location></track></trackList></playlist>",
		"self.m3u": "a.wav\n./self.m3u\n", "ring.m3u": "sub/ring.m3u\n", "sub/ring.m3u": "../ring.m3u\n", "sub/ring2.m3u": "ring3.m3u", "sub/ring3.m3u": "ring2.m3u",
		"1.m3u": "2.m3u", "2.m3u": "3.m3u", "3.m3u": "4.m3u", "4.m3u": "5.m3u", "5.m3u": "x.wav", "void.m3u": "#EXTM3U\n", "twice.m3u": "sub/two.pls\nsub/two.pls\n",
		"one.wav": string(wave(44100, noise(10))),
	})
	path := filepath.Join(dir, "all.m3u")
	b, _ := os.ReadFile(path)
	os.WriteFile(path, []byte(strings.ReplaceAll(string(b), "DIR", dir)), 0o644)
	var o audio.Opener
	for list, want := range map[string][]string{
		"all.m3u": {"one.wav", "sub/2.wav", "http://h/three", "four.wav"}, "x.xspf": {"a b.wav"}, "twice.m3u": {"sub/2.wav", "sub/2.wav"}, "one.wav": {"one.wav"},
	} {
		entries, err := o.Entries(t.Context(), filepath.Join(dir, list))
		if err != nil {
			t.Errorf("%s: %v", list, err)
		}
		if diff := cmp.Diff(want, locations(dir, entries)); diff != "" {
			t.Errorf("%s: %s", list, diff)
		}
	}
	for list, want := range map[string]string{
		"self.m3u": "contains itself", "sub/ring2.m3u": "contains itself", "1.m3u": "in a playlist", "void.m3u": "without entries",
	} {
		if _, err := o.Entries(t.Context(), filepath.Join(dir, list)); !errors.Is(err, audio.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", list, err, want)
		}
	}
	if _, err := o.Open(t.Context(), filepath.Join(dir, "sub/ring2.m3u")); !errors.Is(err, audio.ErrUnsupported) || !strings.Contains(err.Error(), "contains itself") {
		t.Errorf("got %v, want that it contains itself", err)
	}
	if _, err := o.Entries(t.Context(), filepath.Join(dir, "none.m3u")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

func TestPathsAreOpenedAsTheOwnerWants(t *testing.T) {
	want := noise(500)
	dir := house(t, map[string]string{"media/list.m3u": "../other/tune.wav", "other/tune.wav": string(wave(44100, want)), "media/bad.m3u": "/etc/passwd"})
	var asked []string
	o := audio.Opener{OpenFile: func(path string) (*os.File, error) {
		asked = append(asked, strings.TrimPrefix(path, dir+"/"))
		if !strings.HasPrefix(path, dir) {
			return nil, fs.ErrPermission
		}
		return os.Open(path)
	}}
	list := filepath.Join(dir, "media/list.m3u")
	track, err := o.Open(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	defer track.Close()
	same(t, "beside", hear(t, track), want)
	entries, err := o.Entries(t.Context(), list)
	if err != nil || fmt.Sprint(locations(dir, entries)) != "[other/tune.wav]" {
		t.Errorf("got %v, %v", entries, err)
	}
	if _, err := o.Open(t.Context(), filepath.Join(dir, "media/bad.m3u")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want ErrPermission", err)
	}
	if entries, err := o.Entries(t.Context(), dir); err != nil || fmt.Sprint(locations(dir, entries)) != "[other/tune.wav]" {
		t.Errorf("got %v, %v", entries, err)
	}
	if got, want := fmt.Sprint(asked), "[media/list.m3u other/tune.wav media/list.m3u media/bad.m3u /etc/passwd"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPlaylistsByURLAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/a/list.m3u":
				io.WriteString(w, "#EXTM3U\none.mp3\n/b.pls?x=1\nfile:///etc/passwd\n")
			case "/b.pls":
				io.WriteString(w, "[playlist]\nFile1=http://10.0.0.1/two.mp3\nTitle1=Two\n")
			case "/self.m3u":
				io.WriteString(w, "self.m3u\n")
			case "/sound":
				content(wave(44100, noise(10)))(w, r)
			default:
				http.NotFound(w, r)
			}
		})
		got, err := s.Entries(t.Context(), "http://10.0.0.1/a/list.m3u")
		want := []audio.Entry{{Location: "http://10.0.0.1/a/one.mp3"}, {Location: "http://10.0.0.1/two.mp3", Title: "Two"}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v: %s", err, diff)
		}
		if got, err := s.Entries(t.Context(), "http://10.0.0.1/sound"); err != nil || len(got) != 1 {
			t.Errorf("got %v, %v", got, err)
		}
		if _, err := s.Entries(t.Context(), "http://10.0.0.1/self.m3u"); !errors.Is(err, audio.ErrUnsupported) || !strings.Contains(err.Error(), "contains itself") {
			t.Errorf("got %v, want that it contains itself", err)
		}
		var fetch *audio.FetchError
		if _, err := s.Entries(t.Context(), "http://10.0.0.1/none.m3u"); !errors.As(err, &fetch) || fetch.Status != 404 {
			t.Errorf("got %v, want 404", err)
		}
	})
}
