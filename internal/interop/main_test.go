//go:build linux

package interop_test

import (
	"os"
	"testing"

	"airplay2mqtt/internal/interop"
)

func TestMain(m *testing.M) { os.Exit(interop.Main(m)) }
