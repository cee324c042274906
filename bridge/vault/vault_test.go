package vault_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/airplay"
	"airplay2mqtt/bridge/vault"
)

const (
	legacy = "D9B75D737BE2F0F1:6A26D8EB6F4AE2408757D5CA5FF9C37E96BEBB22C632426C4A02AD4FA895A85B"
	hap    = "e734ea6c2b6257de72355e472aa05a4c487e6b463c029ed306df2f01b5636b58:80fd8265b0748da90bc5c5294dabe394d3d47199994ae96ac73ee45c783537b1:3544:3444"
)

func entry(t testing.TB, s string) vault.Entry {
	t.Helper()
	c, err := airplay.ParseCredentials(s)
	if err != nil {
		t.Fatal(err)
	}
	if c.Legacy() {
		c.ReceiverKey = bytes.Repeat([]byte{7}, 32)
	}
	return vault.Entry{Credentials: c, Key: bytes.Repeat([]byte{9}, 32), Name: "Den", At: time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)}
}

func open(t testing.TB, dir, key string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEntriesAreThereTheNextTime(t *testing.T) {
	for _, key := range []string{"", "correct horse"} {
		dir := filepath.Join(t.TempDir(), "data")
		v := open(t, dir, key)
		for id, s := range map[string]string{"A1": legacy, "B2": hap} {
			if err := v.Put(id, entry(t, s)); err != nil {
				t.Fatal(err)
			}
		}
		again := open(t, dir, key)
		want := map[string]vault.Entry{"A1": entry(t, legacy), "B2": entry(t, hap)}
		if d := cmp.Diff(want, again.All()); d != "" {
			t.Errorf("key %q: want -, got +:\n%s", key, d)
		}
		if had, err := again.Remove("A1"); !had || err != nil {
			t.Errorf("removed: got %v, %v", had, err)
		}
		if had, err := again.Remove("A1"); had || err != nil {
			t.Errorf("removed twice: got %v, %v", had, err)
		}
		if _, ok := v.Get("A1"); ok {
			t.Error("what another program removed is still there")
		}
		path := filepath.Join(dir, vault.FileName)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if plain := strings.Contains(string(text), hap[:20]); plain != (key == "") {
			t.Errorf("key %q: in plain text: %v", key, plain)
		}
	}
}

func TestAWrongKeyOpensAndDestroysNothing(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, "right").Put("A1", entry(t, hap)); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, vault.FileName))
	for _, key := range []string{"", "wrong"} {
		v, err := vault.Open(dir, key)
		if !errors.Is(err, vault.ErrLocked) {
			t.Errorf("key %q: got %v, want ErrLocked", key, err)
		}
		if err := v.Put("B2", entry(t, hap)); !errors.Is(err, vault.ErrLocked) {
			t.Errorf("key %q: put: got %v, want ErrLocked", key, err)
		}
		if len(v.All()) != 0 {
			t.Errorf("key %q: got entries", key)
		}
	}
	if after, _ := os.ReadFile(filepath.Join(dir, vault.FileName)); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

var corrupt = []string{
	"", "{", `{"version":2}`, `{"version":1,"devices":{"A":{"credentials":"x"}}}`,
	`{"version":1,"devices":{"A":{"credentials":"` + legacy + `","receiver_key":"zz"}}}`,
	`{"version":1,"devices":{"A":{"credentials":"` + hap + `","announced_key":"00"}}}`,
	`{"version":1,"encrypted":{"salt":"AAAA","rounds":0,"nonce":"","data":""}}`,
	`{"version":1,"encrypted":{"salt":"AAAA","rounds":1,"nonce":"AA==","data":""}}`,
}

func TestWhatCannotBeUnderstoodIsKeptAside(t *testing.T) {
	for _, text := range corrupt {
		dir := t.TempDir()
		path := filepath.Join(dir, vault.FileName)
		for _, aside := range []string{path + ".corrupt", path + ".corrupt2"} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := vault.Open(dir, "key")
			if !errors.Is(err, vault.ErrCorrupt) || !strings.Contains(err.Error(), aside) || strings.Contains(err.Error(), "6A26D8EB") {
				t.Errorf("%q: got %v", text, err)
			}
			if kept, _ := os.ReadFile(aside); string(kept) != text {
				t.Errorf("%q: kept aside: %q", text, kept)
			}
			if err := v.Put("A1", entry(t, hap)); err != nil {
				t.Errorf("%q: cannot be used afterwards: %v", text, err)
			}
		}
	}
}

func TestAFolderThatCannotBeMadeIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(file, "data"), "")
	if err == nil {
		t.Error("got no error")
	}
	if err := v.Put("A1", entry(t, hap)); err == nil {
		t.Error("put: got no error")
	}
}

func TestExportsAreImported(t *testing.T) {
	from, to := open(t, t.TempDir(), "one key"), open(t, t.TempDir(), "")
	for id, s := range map[string]string{"A1": legacy, "B2": hap} {
		if err := from.Put(id, entry(t, s)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := from.Export()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := to.Import(text); n != 2 || err != nil {
		t.Errorf("got %d, %v, want 2", n, err)
	}
	if d := cmp.Diff(from.All(), to.All()); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	if n, err := to.Import([]byte("aa:bb:cc:dd:ee:ff " + hap + "\n\n00-11-22-33-44-55\t" + legacy)); n != 2 || err != nil {
		t.Errorf("pyatv's: got %d, %v, want 2", n, err)
	}
	if e, ok := to.Get("AABBCCDDEEFF"); !ok || e.Credentials.Text() != hap {
		t.Errorf("got %v, %v", e, ok)
	}
	for _, bad := range append(corrupt, "A", "A B C", "A 00:00", "\n") {
		if n, err := to.Import([]byte(bad)); err == nil || n != 0 {
			t.Errorf("%q: got %d, %v, want an error", bad, n, err)
		}
	}
	if len(to.All()) != 4 {
		t.Errorf("got %d devices, want 4", len(to.All()))
	}
}

func FuzzImport(f *testing.F) {
	for _, s := range append(corrupt, "A1 "+hap, "A1 "+legacy) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v := open(t, t.TempDir(), "")
		if n, err := v.Import(text); err != nil && len(v.All()) > 0 || err == nil && len(v.All()) != n {
			t.Errorf("got %d of %d, %v", len(v.All()), n, err)
		}
	})
}
