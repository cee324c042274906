package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/rtsp"
	"airplay2mqtt/raop"
)

// port connects to the speaker.
func (d *doctor) port(ctx context.Context) bool {
	began := time.Now()
	c, err := connect(ctx, d.addr.String())
	if err == nil {
		c.Close()
		return d.note("port", statusOK, "it takes connections, after %v", millis(time.Since(began)))
	}
	address, port := d.addr.Addr(), d.addr.Port()
	switch {
	case rtsp.HungUp(err):
		d.note("port", statusOK, "it takes connections")
		return d.hungUp(err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return d.fails("port", err.Error(), fmt.Sprintf("%s is there, but nobody listens on its port %d", address, port),
			"see whether the port is right (`bridge discover` shows it) and AirPlay is switched on; some speakers change it with every start")
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.EHOSTUNREACH):
		return d.fails("port", err.Error(), fmt.Sprintf("%s does not answer", address),
			"see whether the speaker is switched on, whether its address has changed, and whether a firewall is between")
	}
	return d.fails("port", err.Error(), fmt.Sprintf("no connection with %s: %v", d.addr, err), "see whether the speaker is in this network")
}

func connect(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// answers asks for nothing, to see what it is that listens.
func (d *doctor) answers(ctx context.Context) bool {
	c, err := connect(ctx, d.addr.String())
	switch {
	case err != nil && rtsp.HungUp(err):
		return d.hungUp(err)
	case err != nil:
		return d.fails("answer", err.Error(), "the speaker took one connection and not the next", "try again; switch it off and on")
	}
	client := rtsp.NewClient(c, rtsp.Config{Patience: 4 * time.Second,
		Header: rtsp.Header{{Name: "User-Agent", Value: "iTunes/12.12 (airplay2mqtt/1.0)"}}})
	defer client.Close()
	resp, err := client.Do(ctx, rtsp.Request{Method: "OPTIONS", URI: "*"})
	server := resp.Header.Get("Server")
	switch numbered := resp.Header.Get("CSeq") != "" || resp.Header.Get("Public") != ""; {
	case err == nil && !numbered: // as web servers do, which number nothing
		return d.stranger(fmt.Sprintf("%d %s, by something else than RTSP", resp.Code, resp.Reason))
	case err == nil && server == "":
		return d.note("answer", statusOK, "%d %s", resp.Code, resp.Reason)
	case err == nil:
		return d.note("answer", statusOK, "%d %s, it is %s", resp.Code, resp.Reason, server)
	case errors.Is(err, rtsp.ErrMalformed):
		return d.stranger(err.Error())
	case rtsp.HungUp(err):
		return d.hungUp(err)
	}
	return d.fails("answer", err.Error(), "the speaker takes connections and does not answer: it hangs, or what listens there is no AirPlay speaker",
		"switch it off and on")
}

// stranger is what listens and is no speaker.
func (d *doctor) stranger(detail string) bool {
	return d.fails("answer", detail, fmt.Sprintf("what listens at %s is no AirPlay speaker, or speaks AirPlay 2 only there", d.addr),
		"see whether address and port are right; `bridge discover` shows them")
}

// hungUp is what busy speakers do.
func (d *doctor) hungUp(err error) bool {
	return d.fails("answer", err.Error(), "the speaker hangs up before it answers: mostly because somebody else plays on it",
		"try again when it is free; if nobody plays, switch it off and on")
}

// omitEvery is which packets are left out, so that the speaker asks for them.
const omitEvery = 40

// agrees opens a session.
func (d *doctor) agrees(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	d.tap = newTap()
	d.tap.omit = func(n int) bool { return n%omitEvery == omitEvery-1 }
	began := time.Now()
	s, err := raop.Dial(ctx, d.addr.String(), d.speaker.info, d.tap.on(d.config(d.speaker)))
	if err != nil {
		return d.refused(err)
	}
	d.session = s
	password := "none is asked for"
	if d.speaker.password != "" {
		password = "accepted, if one is asked for at all"
	}
	d.note("password", statusOK, "%s", password)
	d.note("free", statusOK, "nobody else keeps it")
	return d.note("session", statusOK, "ready after %v", millis(time.Since(began)))
}

// refused tells why there is no session.
func (d *doctor) refused(err error) bool {
	switch {
	case errors.Is(err, raop.ErrPassword) && d.speaker.password == "":
		return d.fails("password", err.Error(), "the speaker asks for a password, and none was given",
			"say -password, or set password for this device in the configuration")
	case errors.Is(err, raop.ErrPassword):
		return d.fails("password", err.Error(), "the speaker refuses the password that it was given", "correct the password")
	case errors.Is(err, raop.ErrPairing):
		return d.fails("password", err.Error(), "the speaker serves only who is paired with it",
			"pair with it: `bridge pair -to "+d.Speaker+"`")
	case errors.Is(err, raop.ErrImposter):
		return d.fails("password", err.Error(), "the speaker is not the one that was paired, or was reset since",
			"if that is right, pair again: `bridge pair -to "+d.Speaker+"`")
	case errors.Is(err, raop.ErrBusy):
		d.note("password", statusOK, "not asked for so far")
		return d.fails("free", err.Error(), "somebody else plays on the speaker", "try again when it is free; if nobody plays, switch it off and on")
	case errors.Is(err, raop.ErrTiming):
		return d.deaf(err.Error())
	}
	return d.fails("session", err.Error(), "the speaker answers, but does not agree to play: "+err.Error(),
		"switch it off and on; if it stays, please report it with the output of this command")
}

// timingPatience is longer than the three seconds between two questions of
// shairport-sync.
const timingPatience = 5 * time.Second

// asksTime waits for the speaker to ask for the time.
func (d *doctor) asksTime(ctx context.Context) bool {
	end := time.NewTimer(timingPatience)
	defer end.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		if asked, slowest := d.tap.timings(); asked > 0 && slowest > 0 {
			return d.note("timing", statusOK, "its questions for the time arrive, and are answered within %v", millis(slowest))
		}
		select {
		case <-look.C:
		case <-d.session.Done():
			return d.fails("timing", d.session.Err().Error(), "the speaker ended the session by itself", "see whether somebody else has taken it; switch it off and on")
		case <-end.C:
			return d.deaf(fmt.Sprintf("it has not asked for the time within %v", timingPatience))
		case <-ctx.Done():
			return false
		}
	}
}

// deaf is the firewall's case: without the time a speaker plays nothing.
func (d *doctor) deaf(detail string) bool {
	return d.fails("timing", detail, fmt.Sprintf("UDP from the speaker (%s) does not reach this machine, so it never learns the time and stays silent", d.addr.Addr()),
		"allow UDP from the speaker's address to this machine, all ports; a container needs the host's network")
}

// hearsSound sends silence with holes in it. Where the speaker asks for what is
// missing, UDP gets through both ways.
func (d *doctor) hearsSound(ctx context.Context) bool {
	sound := stream.New(audio.NewClip(make([]audio.Frame, 2*audio.Rate)).Source(), stream.Config{}, d.session)
	err := sound.Run(ctx)
	stats := d.session.Stats()
	switch returned := int(stats.SendErrors); {
	case returned >= 3 && returned*10 > int(stats.Packets): // a few are those that this machine was too busy for
		return d.fails("sound", fmt.Sprintf("%d of %d packets were returned", returned, stats.Packets),
			"the speaker's machine returns our UDP: its audio port is closed", "see whether a firewall on or before the speaker lets UDP through; switch it off and on")
	case err != nil:
		return d.fails("sound", err.Error(), "the speaker ended the session while it was played to",
			"see whether somebody else has taken it; switch it off and on")
	}
	holes, asked := d.tap.missed()
	lost := len(d.tap.losses())
	switch {
	case asked == 0:
		return d.note("sound", statusWarning, "%d packets were left out on purpose and it asked for none of them: either it never asks, or UDP from this machine does not reach it", holes)
	case lost*20 > int(stats.Packets):
		return d.note("sound", statusWarning, "packets arrive, but %d of %d got lost: the wireless network is weak, and latency: robust may help", lost, stats.Packets)
	}
	return d.note("sound", statusOK, "packets arrive: of %d that were left out on purpose it asked for %d again; %d others got lost", holes, asked, lost)
}
