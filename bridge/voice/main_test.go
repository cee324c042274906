package voice_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain is also the programs that speak in tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		syscall.Exit(program(os.Args[1], os.Args[2:])) // os.Exit takes a second with the race detector
	}
	goleak.VerifyTestMain(m)
}

// program speaks in one way or another.
func program(how string, args []string) int {
	text, _ := io.ReadAll(os.Stdin)
	switch how {
	case "well":
		fmt.Printf("RIFF----WAVE %q %q", text, args)
	case "environment":
		fmt.Printf("RIFF----WAVE %q", os.Environ())
	case "noise":
		fmt.Printf("Hello, this is no sound")
	case "nothing":
	case "crash":
		fmt.Fprintln(os.Stderr, "the model\nis not there")
		return 3
	case "babble":
		for _, err := os.Stdout.WriteString("RIFF----WAVE"); err == nil; {
			_, err = os.Stdout.WriteString(strings.Repeat("x", 1000))
		}
	case "sleep":
		fmt.Fprintln(os.Stderr, os.Getpid())
		time.Sleep(time.Minute)
	case "fork": // leaves a child behind that holds the output
		cmd := exec.Command(os.Args[0], "sleep")
		cmd.Stdout = os.Stdout
		if cmd.Start() == nil {
			os.WriteFile(args[0], fmt.Append(nil, cmd.Process.Pid), 0o600)
		}
		fmt.Printf("RIFF----WAVE")
	}
	return 0
}
