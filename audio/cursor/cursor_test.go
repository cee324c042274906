package cursor_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"airplay2mqtt/audio/cursor"
)

// pipe hides that a reader can seek.
type pipe struct{ io.Reader }

// claims is a pipe that calls itself a file.
type claims struct{ io.Reader }

func (claims) Seek(int64, int) (int64, error) { return 0, os.ErrInvalid }

const letters = "abcdefghijklmnopqrstuvwxyz"

// late is letters behind something that has been read already.
func late(t *testing.T) io.Reader {
	t.Helper()
	r := strings.NewReader("0123" + letters)
	if _, err := r.Seek(4, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSkippingIsTheSameWithAndWithoutSeeking(t *testing.T) {
	for name, c := range map[string]struct {
		r    io.Reader
		size int64
	}{
		"file":               {late(t), 26},
		"pipe":               {pipe{late(t)}, -1},
		"a file that lies":   {claims{late(t)}, -1},
		"one byte at a time": {iotest.OneByteReader(late(t)), -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := cursor.New(c.r)
			if got.Size() != c.size || got.Seekable() != (c.size >= 0) || got.Pos() != 0 {
				t.Errorf("got size %d, seekable %v, at %d; want size %d", got.Size(), got.Seekable(), got.Pos(), c.size)
			}
			for _, step := range []struct {
				skip int64
				want string
			}{{0, "ab"}, {3, "fg"}, {1, "ij"}} {
				if err := got.Skip(step.skip); err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 2)
				if _, err := io.ReadFull(got, b); err != nil || string(b) != step.want {
					t.Errorf("got %q, %v; want %q", b, err, step.want)
				}
			}
			if got.Pos() != 10 {
				t.Errorf("got position %d, want 10", got.Pos())
			}
			if err := got.Skip(1000); err != nil {
				t.Errorf("past the end: %v", err)
			}
			if n, err := got.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("behind the end: got %d, %v; want io.EOF", n, err)
			}
		})
	}
}

// What is a file and has no size is a device, and cannot be trusted to seek.
func TestNothingHasNoSize(t *testing.T) {
	if c := cursor.New(strings.NewReader("")); c.Seekable() || c.Size() != -1 {
		t.Errorf("got seekable %v, size %d; want neither", c.Seekable(), c.Size())
	}
}

func TestAFailedSkipTells(t *testing.T) {
	lost := errors.New("lost")
	if err := cursor.New(iotest.ErrReader(lost)).Skip(5); !errors.Is(err, lost) {
		t.Errorf("got %v, want %v", err, lost)
	}
}

// frames reads a section by steps of so many bytes.
func frames(s *cursor.Section, step int) (all []string, err error) {
	p := make([]byte, step)
	for {
		n, err := s.Read(p)
		if err != nil {
			return all, err
		}
		for b := p[:n]; len(b) > 0; b = b[3:] {
			all = append(all, string(b[:3]))
		}
	}
}

func TestSectionsHoldWholeFrames(t *testing.T) {
	for _, c := range []struct {
		start, size int64
		want        string
		frames      int64 // that a pipe tells
	}{
		{0, 9, "[abc def ghi]", 3},
		{0, 11, "[abc def ghi]", 3},
		{20, 60, "[uvw xyz]", 20},
		{19, -1, "[tuv wxy]", -1},
		{26, -1, "[]", -1},
		{0, 2, "[]", 0},
	} {
		for _, step := range []int{3, 8, 100} {
			for name, r := range map[string]io.Reader{
				"file": late(t), "pipe": pipe{late(t)}, "trickle": iotest.OneByteReader(late(t)), "data with the end": iotest.DataErrReader(pipe{late(t)}),
			} {
				at := cursor.New(r)
				if err := at.Skip(c.start); err != nil {
					t.Fatal(err)
				}
				s := cursor.NewSection(at, c.start, c.size, 3)
				if got := s.Frames(); name == "pipe" && got != c.frames {
					t.Errorf("from %d, %d: got %d frames, want %d", c.start, c.size, got, c.frames)
				}
				if got, err := frames(s, step); fmt.Sprint(got) != c.want || err != io.EOF {
					t.Errorf("%s from %d, %d by %d: got %v, %v; want %s, io.EOF", name, c.start, c.size, step, got, err, c.want)
				}
			}
		}
	}
}

func TestSectionsSeekByFrames(t *testing.T) {
	at := cursor.New(late(t))
	if err := at.Skip(2); err != nil {
		t.Fatal(err)
	}
	s := cursor.NewSection(at, 2, 12, 3)
	for _, c := range []struct {
		to   int64
		want string
	}{{3, "[lmn]"}, {0, "[cde fgh ijk lmn]"}, {99, "[]"}, {2, "[ijk lmn]"}} {
		if err := s.SeekFrame(c.to); err != nil {
			t.Fatal(err)
		}
		if got, err := frames(s, 6); fmt.Sprint(got) != c.want || err != io.EOF {
			t.Errorf("from frame %d: got %v, %v; want %s", c.to, got, err, c.want)
		}
	}
}

// What came before the connection was lost is heard first.
func TestAnErrorComesBehindTheFramesBeforeIt(t *testing.T) {
	lost := errors.New("lost")
	s := cursor.NewSection(cursor.New(io.MultiReader(strings.NewReader("abcde"), iotest.ErrReader(lost))), 0, -1, 3)
	if got, err := frames(s, 6); fmt.Sprint(got) != "[abc]" || !errors.Is(err, lost) {
		t.Errorf("got %v, %v; want [abc], %v", got, err, lost)
	}
}
