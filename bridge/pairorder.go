package bridge

import (
	"encoding/json"
	"regexp"
	"strings"

	"airplay2mqtt/internal/nearest"
)

// What can be asked of pairing.
const (
	pairStart  = "start"
	pairCancel = "cancel"
	pairRemove = "remove"
	pairPIN    = "pin"
)

// A pairOrder is what a message on pair or pair_pin asks for.
type pairOrder struct{ what, pin string }

// parsePair reads what is to be done.
func parsePair(f fields) (pairOrder, error) {
	action, err := f.text("action")
	if err != nil {
		return pairOrder{}, err
	}
	words := []string{pairStart, pairCancel, pairRemove}
	switch action = strings.ToLower(strings.TrimSpace(action)); action {
	case "", pairStart:
		return pairOrder{what: pairStart}, nil
	case pairCancel, pairRemove:
		return pairOrder{what: action}, nil
	}
	if digits.MatchString(action) { // which must not be repeated
		return pairOrder{}, bad("pair takes start, cancel or remove; a PIN goes to the topic pair_pin")
	}
	return pairOrder{}, bad("pair takes start, cancel or remove, not %q%s", oneLine(action), nearest.Hint(action, words))
}

var digits = regexp.MustCompile(`[0-9]{4}`)

var pinForm = regexp.MustCompile(`^[0-9]{4,8}$`)

// errPINForm repeats nothing of what was typed.
var errPINForm = bad(`the PIN that the device shows is wanted, four digits, bare or as {"pin":"1234"}`)

// parsePIN reads a PIN. Its errors repeat nothing of it.
func parsePIN(f fields) (pairOrder, error) {
	var pin string
	raw := f["pin"]
	if json.Unmarshal(raw, &pin) != nil {
		pin = string(raw)
	}
	pin = strings.ReplaceAll(pin, " ", "")
	if !pinForm.MatchString(pin) {
		return pairOrder{}, errPINForm
	}
	return pairOrder{what: pairPIN, pin: pin}, nil
}
