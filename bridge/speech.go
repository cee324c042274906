package bridge

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"time"
	"unicode/utf8"

	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/assistant"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/voice"
)

// errVoice is what whoever wants text to be spoken is told where nobody can.
var errVoice = &refusal{"tts_unavailable", "no voice is configured, so that text cannot be spoken; set homeassistant.url and token, or tts.command, or announce a chime, a url or a path"}

// errHome is for what only Home Assistant knows, where it is not asked.
var errHome = &badPayload{"media-source:// addresses are Home Assistant's own: set homeassistant.url and token, or send the http address that they stand for"}

// findVoice puts together who speaks: Home Assistant, then a command.
func (b *Bridge) findVoice() error {
	var voices []voice.Voice
	if b.cfg.HomeAssistant.Asked() {
		if err := b.findHome(); err != nil {
			return err
		}
		voices = append(voices, homeVoice{b.ha})
	}
	t := b.cfg.TTS
	if len(t.Command) > 0 {
		voices = append(voices, voice.Command{Args: t.Command, MaxSound: int(t.MaxSound)})
	}
	if len(voices) == 0 {
		return nil
	}
	b.voice = voice.New(voice.Config{
		Voices: voices, Timeout: time.Duration(t.Timeout), Keep: time.Duration(t.Keep), Logger: b.log,
	})
	return nil
}

// findHome makes ready to ask Home Assistant itself. What lies there may be
// fetched also where it is this machine, and from its port only.
func (b *Bridge) findHome() error {
	h := b.cfg.HomeAssistant
	token, err := h.Secret()
	if err != nil {
		return err
	}
	site := h.URL
	if site == config.Supervisor { // which hands on no media
		site = "http://homeassistant:8123"
	}
	dial := b.about.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	b.ha, err = assistant.New(assistant.Config{
		URL: h.URL, Token: token, Site: site, Engine: b.cfg.TTS.Engine, MaxSound: int64(b.cfg.TTS.MaxSound),
		TLS: b.opener.TLS, DialContext: dial,
	})
	if err != nil {
		return err
	}
	there := b.ha.Address()
	indoors := *b.opener
	indoors.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == there {
			return dial(ctx, network, address)
		}
		return b.opener.DialContext(ctx, network, address)
	}
	b.indoors = &indoors
	return nil
}

// homeVoice is Home Assistant as a voice.
type homeVoice struct{ home *assistant.Client }

func (v homeVoice) Speak(ctx context.Context, t voice.Text) ([]byte, error) {
	return v.home.Speak(ctx, assistant.Speech{Message: t.Message, Language: t.Language, Voice: t.Voice})
}

// understood tells what is wrong with a command that could be read, and needs
// what is not configured.
func (b *Bridge) understood(c player.Command) error {
	switch c := c.(type) {
	case player.Play:
		if isMediaSource(c.URL) && b.ha == nil {
			return errHome
		}
	case player.Announce:
		for _, s := range c.Clips {
			switch n := utf8.RuneCountInString(s.Text); {
			case isMediaSource(s.URL) && b.ha == nil:
				return errHome
			case n > 0 && b.voice == nil:
				return errVoice
			case n > b.cfg.TTS.MaxText:
				return bad("the message has %d characters; at most %d are spoken (tts.max_text)", n, b.cfg.TTS.MaxText)
			}
		}
	}
	return nil
}

// speak opens the sound of a text.
func (b *Bridge) speak(ctx context.Context, s player.Sound) (audio.Track, error) {
	if b.voice == nil {
		return audio.Track{}, errVoice
	}
	began := time.Now()
	file, err := b.voice.Speak(ctx, voice.Text{
		Message: s.Text, Language: cmp.Or(s.Language, b.cfg.TTS.Language), Voice: cmp.Or(s.Voice, b.cfg.TTS.Voice),
	})
	if err != nil {
		return audio.Track{}, err
	}
	b.log.Debug().Int("characters", utf8.RuneCountInString(s.Text)).Int("bytes", len(file)).Dur("took", time.Since(began)).Msg("spoken")
	track, err := b.opener.OpenReader(ctx, sound{bytes.NewReader(file)}, "speech")
	if err != nil {
		return track, &voice.Error{Err: err}
	}
	return track, nil
}

// find is by whom a play is opened, and as what: what an address of Home
// Assistant's own stands for is asked there.
func (b *Bridge) find(ctx context.Context, p player.Play) (*audio.Opener, player.Play, error) {
	switch {
	case !isMediaSource(p.URL):
		return b.opener, p, nil
	case b.ha == nil:
		return nil, p, errHome
	}
	media, err := b.ha.Resolve(ctx, p.URL)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, p, err
	case err != nil:
		return nil, p, &audio.FetchError{URL: withoutSecrets(p.URL), Err: err}
	}
	p.URL = media.URL
	if media.Own {
		return b.indoors, p, nil
	}
	return b.opener, p, nil
}
