package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/mediaserver"
	"airplay2mqtt/airplay/pair"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/airplay/video"
	"airplay2mqtt/audio"
	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/bridge/media"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/voice"
	"airplay2mqtt/raop"
)

// advice is what a person can do about an error of a kind. It follows the
// error itself in messages; "" where the error says it all.
var advice = map[string]string{
	"device_offline":    "is it switched on and in this network?",
	"pairing_required":  "pair with it: the topic pair, or `bridge pair`; it then shows a PIN",
	"password_required": "set password for this device in the configuration (devices)",
	"busy":              "somebody else plays on it; try again when it is free",
	"tls_untrusted":     "the certificate is not one that this machine trusts",
	"internal":          "the log says more",
	"timeout":           "try again; if it stays, see whether the device or the address answers others",
}

// explain makes of an error what users meet: a stable code, and a sentence
// that says what to do. It never shows what is secret: addresses in errors have
// lost their user, password and query where the error was made.
func explain(err error) player.Problem {
	code := codeOf(err)
	message := err.Error()
	if a := advice[code]; a != "" {
		message += ": " + a
	}
	return player.Problem{Code: code, Message: oneLine(message)}
}

// oneLine makes a text fit for a topic and a log: one line of valid UTF-8 of
// bounded length.
func oneLine(s string) string {
	const most = 500
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// codeOf sorts errors into the codes of docs/topics.md. What is more exact
// comes first: an address that is refused is also one that was not fetched.
func codeOf(err error) string {
	for _, kind := range []func(error) string{orderCode, pairingCode, sourceCode, receiverCode, secondCode, screenCode, networkCode} {
		if code := kind(err); code != "" {
			return code
		}
	}
	return "internal"
}

// orderCode is for what is wrong with the command itself.
func orderCode(err error) string {
	var wrong *badPayload
	var no *refusal
	switch {
	case errors.As(err, &wrong):
		return "bad_payload"
	case errors.As(err, &no):
		return no.code
	case errors.Is(err, player.ErrBusy), errors.Is(err, player.ErrQueueFull), errors.Is(err, player.ErrTooOften):
		return "rate_limited"
	case errors.Is(err, player.ErrSkipped), errors.Is(err, player.ErrSame), errors.Is(err, player.ErrMuted):
		return "skipped"
	case errors.Is(err, player.ErrExpired):
		return "expired"
	case errors.Is(err, player.ErrReplaced):
		return "replaced"
	case errors.Is(err, audio.ErrNotSeekable):
		return "not_seekable"
	case errors.Is(err, player.ErrIdle):
		return "not_playing"
	case errors.Is(err, player.ErrTakenOver):
		return "taken_over"
	case errors.Is(err, player.ErrSelf), errors.Is(err, player.ErrFollows):
		return "bad_payload"
	case errors.Is(err, player.ErrLate):
		return "timeout"
	case errors.Is(err, player.ErrNobody):
		return "device_offline"
	case errors.Is(err, player.ErrClosed):
		return "device_offline"
	}
	return ""
}

// sourceCode is for what is wrong with the sound.
func sourceCode(err error) string {
	var path *media.PathError
	var address *media.AddressError
	var large *audio.TooLargeError
	var fetch *audio.FetchError
	var film *mediaserver.FetchError
	var untrusted *tls.CertificateVerificationError
	var silent *voice.Error
	switch {
	case errors.Is(err, voice.ErrWord):
		return "bad_payload"
	case errors.As(err, &silent):
		return "tts_unavailable"
	case errors.As(err, &path):
		return "forbidden_path"
	case errors.As(err, &address):
		return "forbidden_url"
	case errors.As(err, &untrusted):
		return "tls_untrusted"
	case errors.Is(err, audio.ErrUnsupported), errors.Is(err, audio.ErrTooLong), errors.As(err, &large),
		errors.Is(err, ffmpeg.ErrFilm), errors.Is(err, ffmpeg.ErrNotInstalled):
		return "unsupported_format"
	case errors.As(err, &fetch), errors.As(err, &film), errors.Is(err, mediaserver.ErrChanged):
		return "fetch_failed"
	case errors.Is(err, fs.ErrNotExist):
		return "file_not_found"
	}
	return ""
}

// receiverCode is for what the receiver does not want.
func receiverCode(err error) string {
	switch {
	case errors.Is(err, raop.ErrPassword):
		return "password_required"
	case errors.Is(err, raop.ErrBusy):
		return "busy"
	case errors.Is(err, raop.ErrPairing), errors.Is(err, raop.ErrImposter):
		return "pairing_required"
	case errors.Is(err, raop.ErrTiming):
		return "timeout"
	case errors.Is(err, raop.ErrClosedByReceiver):
		return "busy"
	case errors.Is(err, raop.ErrProtocol):
		return "unsupported_format"
	}
	return ""
}

// screenCode is for what a device says of films.
func screenCode(err error) string {
	var player *video.PlayerError
	var status *video.StatusError
	switch {
	case errors.Is(err, video.ErrPassword):
		return "password_required"
	case errors.Is(err, video.ErrBusy):
		return "busy"
	case errors.Is(err, video.ErrPairing):
		return "pairing_required"
	case errors.Is(err, video.ErrTiming):
		return "no_clock"
	case errors.Is(err, video.ErrNotSeekable):
		return "not_seekable"
	case errors.Is(err, video.ErrLost):
		return "device_offline"
	case errors.As(err, &player), errors.As(err, &status):
		return "unsupported_format"
	}
	return ""
}

// secondCode sorts what AirPlay 2 receivers do not want.
func secondCode(err error) string {
	switch {
	case errors.Is(err, airplay.ErrPassword):
		return "password_required"
	case errors.Is(err, airplay.ErrBusy), errors.Is(err, airplay.ErrClosedByReceiver):
		return "busy"
	case errors.Is(err, airplay.ErrPairing), errors.Is(err, airplay.ErrImposter):
		return "pairing_required"
	case errors.Is(err, airplay.ErrNoClock), errors.Is(err, airplay.ErrTiming), errors.Is(err, ptp.ErrPorts):
		return "no_clock"
	case errors.Is(err, airplay.ErrNotAirPlay2):
		return "unsupported_format"
	}
	return ""
}

// pairingCode is for what a device says to being paired.
func pairingCode(err error) string {
	var e *pair.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Kind {
	case pair.Rejected:
		return "pin_rejected"
	case pair.BackOff:
		return "rate_limited"
	case pair.Busy:
		return "busy"
	case pair.Forbidden:
		return "access_restricted"
	}
	return "pairing_failed"
}

// networkCode is for receivers that cannot be reached.
func networkCode(err error) string {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial",
		errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "device_offline"
	case errors.Is(err, context.DeadlineExceeded), timedOut(err):
		return "timeout"
	}
	return ""
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
