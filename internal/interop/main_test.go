//go:build linux

package interop_test

import (
	"os"
	"testing"

	"airplay2mqtt/internal/interop"
)

func TestMain(m *testing.M) { os.Exit(interop.Main(m, measure...)) }

// measure are the tests whose figures are true only while nothing else runs:
// latency, skew, work, memory, and what is heard when packets are lost.
var measure = []string{
	"TestAMemberThatDiesComesBackInStep",
	"TestBesidePulseAudio",
	"TestBothKindsOfSoundAreHeardFrameForFrameAndSoon",
	"TestBridgeIsOnlineAtOnce",
	"TestBridgeIsSmall",
	"TestChimeIsHeardAtOnce",
	"TestEightStreamsAreSmall",
	"TestLossIsNotHeard",
	"TestLostPacketsAreSentAgain",
	"TestLostPacketsOfAirPlay2AreSentAgain",
	"TestMessageIsOnTheWireAtOnce",
	"TestModernAndClassicReceiversAreInStep",
	"TestOneOfThreeRoomsRingsOverTheMusic",
	"TestQuestionsForTheTimeAreAnsweredWithinAMillisecond",
	"TestRoomsRingAtOneInstant",
	"TestSoundComesAfterTheChosenLatency",
	"TestSoundThroughASoundServerIsInTime",
	"TestSpeakersPlayInStep",
	"TestThreeRoomsOfAGroupPlayInStep",
}
