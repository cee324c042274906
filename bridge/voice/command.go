package voice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// A Command is a program of this machine that speaks: it reads a line of text
// and writes a WAV file. No shell is between.
type Command struct {
	// Args are the program and its arguments. {language} and {voice} stand for
	// what the text wants; an argument that names one of them is left out where
	// the text wants nothing.
	Args []string
	// MaxSound is how many bytes it may write. Zero: 16 MiB.
	MaxSound int
}

// ErrWord is wrapped by the error for a language or a voice that no command is
// given.
var ErrWord = errors.New("is no word that a command is given: letters, digits, and _ + - . between them")

// word is what may become a part of an argument: nothing that is an option, or
// leads out of a folder.
var word = regexp.MustCompile(`^[A-Za-z0-9](?:\.?[A-Za-z0-9_+-]){0,63}$`)

// Speak implements [Voice]. When ctx ends, so does the program, with all that it
// has started.
func (c Command) Speak(ctx context.Context, t Text) ([]byte, error) {
	args, err := c.arguments(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	most := c.MaxSound
	if most <= 0 {
		most = 16 << 20
	}
	out := &sink{most: most, full: cancel}
	var said tail
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(t.Message+"\n"), out, &said
	cmd.Env = environment()
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return end(cmd.Process) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		_ = end(cmd.Process) // what it has left behind, and holds its output
	}
	return out.sound(args[0], err, said.String())
}

// arguments fills in what the text wants.
func (c Command) arguments(t Text) ([]string, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("the command is empty")
	}
	for what, value := range map[string]string{"language": t.Language, "voice": t.Voice} {
		if value != "" && !word.MatchString(value) {
			return nil, fmt.Errorf("%s: %.60q %w", what, value, ErrWord)
		}
	}
	args := []string{c.Args[0]}
	fill := strings.NewReplacer("{language}", t.Language, "{voice}", t.Voice)
	for _, a := range c.Args[1:] {
		if strings.Contains(a, "{language}") && t.Language == "" || strings.Contains(a, "{voice}") && t.Voice == "" {
			continue
		}
		args = append(args, fill.Replace(a))
	}
	return args, nil
}

// handed are the variables that a program gets of ours. The others may be
// secret.
var handed = []string{"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TMPDIR", "TZ"}

func environment() []string {
	env := []string{}
	for _, name := range handed {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// A sink takes what a program writes, up to a limit.
type sink struct {
	buf  bytes.Buffer
	most int
	over bool
	full func() // called when there is more than the limit
}

func (s *sink) Write(b []byte) (int, error) {
	if s.buf.Len()+len(b) > s.most {
		s.over = true
		s.full()
		return 0, errors.New("too much")
	}
	return s.buf.Write(b)
}

// sound is what came, if it is what was wanted.
func (s *sink) sound(program string, err error, said string) ([]byte, error) {
	if said != "" {
		said = ": " + said
	}
	b := s.buf.Bytes()
	switch {
	case s.over:
		return nil, fmt.Errorf("%s: it gave more than %d bytes (tts.max_sound)", program, s.most)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is not installed (tts.command)", program)
	case err != nil:
		return nil, fmt.Errorf("%s: %w%s", program, err, said)
	case len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE":
		return nil, fmt.Errorf("%s: it gave %d bytes that are no WAV file; it has to write one to its output (tts.command)%s", program, len(b), said)
	}
	return b, nil
}

// A tail is the end of what a program said.
type tail struct{ buf []byte }

func (t *tail) Write(b []byte) (int, error) {
	const most = 200
	t.buf = append(t.buf, b[max(0, len(b)-most):]...)
	t.buf = t.buf[max(0, len(t.buf)-most):]
	return len(b), nil
}

func (t *tail) String() string { return Clean(string(t.buf)) }
