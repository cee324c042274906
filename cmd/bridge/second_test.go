package main_test

import (
	"fmt"
	"strings"
	"testing"

	main "airplay2mqtt/cmd/bridge"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/ptp"
)

func TestTheDoctorExplainsWhatAirPlay2SpeakersRefuse(t *testing.T) {
	for _, c := range []struct {
		err           error
		cause, advice string
	}{
		{airplay.ErrPassword, "asks for a password", "-password"},
		{airplay.ErrPairing, "wants to be paired", "bridge pair"},
		{airplay.ErrImposter, "not the one that was paired", "again (`bridge pair`)"},
		{airplay.ErrBusy, "somebody else plays", "when it is free"},
		{ptp.ErrPorts, "by PTP only", "319 and 320"},
		{airplay.ErrNoClock, "does not keep time", "timing: ntp"},
		{airplay.ErrTiming, "does not keep time", "timing: ntp"},
		{airplay.ErrNotAirPlay2, "does not speak it", "protocol: raop"},
		{fmt.Errorf("setup: 500"), "setup: 500", "switch it off and on"},
	} {
		cause, advice := main.SecondCause(fmt.Errorf("airplay: dial: %w", c.err))
		if !strings.Contains(cause, c.cause) || !strings.Contains(advice, c.advice) {
			t.Errorf("%v: got %q and %q", c.err, cause, advice)
		}
	}
}
