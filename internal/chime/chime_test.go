package chime_test

import (
	"testing"

	"airplay2mqtt/internal/chime"
)

func TestDoorbellIsHeardAndClipsNowhere(t *testing.T) {
	pcm := chime.Doorbell()
	if got, want := len(pcm), 2*2*chime.Rate; got != want {
		t.Fatalf("got %d samples, want %d", got, want)
	}
	var peak int16
	for _, s := range pcm {
		peak = max(peak, s, -s)
	}
	if peak < 8000 || peak > 30000 {
		t.Errorf("got a peak of %d, want it between 8000 and 30000", peak)
	}
	if first, last := pcm[0], pcm[len(pcm)-1]; first != 0 || last != 0 {
		t.Errorf("it begins with %d and ends with %d: that clicks", first, last)
	}
}
