package main_test

import (
	"bytes"
	"strings"
	"testing"

	main "airplay2mqtt/cmd/bridge"
	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/raop/raoptest"
)

// typing runs the program with what somebody types.
func typing(t *testing.T, typed string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = main.Main(t.Context(), strings.NewReader(typed), &out, &err, nil, args...)
	return code, out.String(), err.String()
}

func TestPairOnTheCommandLine(t *testing.T) {
	t.Chdir(t.TempDir())
	a := legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234"})
	r, err := raoptest.New(raoptest.Config{Name: "Den", Pairing: a})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		name, typed  string
		args         []string
		code         int
		says, stderr string
	}{
		{"nobody types", "", nil, 1, "The PIN", "no PIN was typed"},
		{"a wrong PIN", "4321\n", nil, 1, "", "the PIN or password is wrong"},
		{"what was never paired", "", []string{"-remove"}, 1, "", "is not paired"},
		{"the right PIN", " 12 34\n", nil, 0, "Paired with", ""},
		{"forgotten", "", []string{"-remove"}, 0, "is forgotten", ""},
	} {
		code, out, stderr := typing(t, c.typed, append([]string{"pair", "-to", r.Addr()}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.says) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: got exit %d, %q and %q, want %d, %q and %q", c.name, code, out, stderr, c.code, c.says, c.stderr)
		}
		if strings.Contains(stderr, "4321") {
			t.Errorf("%s: the PIN is repeated", c.name)
		}
	}
	if code, _, stderr := typing(t, "", "pair"); code != 2 || !strings.Contains(stderr, "say -to NAME") {
		t.Errorf("without -to: got exit %d and %q", code, stderr)
	}
}

func TestCredentialsAreTakenAlong(t *testing.T) {
	const line = "AABBCCDDEEFF D9B75D737BE2F0F1:6A26D8EB6F4AE2408757D5CA5FF9C37E96BEBB22C632426C4A02AD4FA895A85B\n"
	t.Chdir(t.TempDir())
	if code, out, stderr := typing(t, line, "credentials", "import", "-"); code != 0 || !strings.Contains(out, "1 devices") {
		t.Fatalf("import: got exit %d, %q and %q", code, out, stderr)
	}
	code, export, _ := typing(t, "", "credentials", "export")
	if code != 0 || !strings.Contains(export, "D9B75D737BE2F0F1:6A26D8EB") {
		t.Fatalf("export: got exit %d and %q", code, export)
	}
	t.Chdir(t.TempDir())
	if code, _, stderr := typing(t, export, "credentials", "import", "-"); code != 0 {
		t.Errorf("import of an export: got exit %d and %q", code, stderr)
	}
	for _, args := range [][]string{{"credentials", "import"}, {"credentials", "delete"}, {"credentials", "export", "x"}} {
		if code, _, stderr := typing(t, "", args...); code != 2 || stderr == "" {
			t.Errorf("%v: got exit %d and %q, want 2", args, code, stderr)
		}
	}
	if code, _, stderr := typing(t, "AABB 00:11\n", "credentials", "import", "-"); code != 1 || !strings.Contains(stderr, "line 1") {
		t.Errorf("nonsense: got exit %d and %q", code, stderr)
	}
}
