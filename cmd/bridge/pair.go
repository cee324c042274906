package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/airplay/pair"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/discovery"
)

const pairHelp = `The device shows a PIN, which is asked for here. What that leaves is kept in the
data folder, also for a bridge that runs, and the device plays from then on
without a PIN. ` + "`bridge discover -v`" + ` tells which devices want it.

  bridge pair -to "Living Room"
  bridge pair -to 192.168.1.20:7000
  bridge pair -to "Living Room" -remove    forget it; the device keeps its own list
`

func (w world) pair(ctx context.Context, args []string) error {
	f := w.flags("pair")
	path := f.String("config", "", configHelp)
	to := f.String("to", "", "the device's `name`, or host:port")
	remove := f.Bool("remove", false, "forget the pairing")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	if *to == "" {
		fmt.Fprintln(w.stderr, "bridge pair: with which device? say -to NAME or -to HOST:PORT")
		return errUsage
	}
	cfg, err := w.load(*path)
	if err != nil {
		return err
	}
	v, err := bridge.OpenVault(cfg)
	if err != nil {
		return err
	}
	d, c, err := w.device(ctx, cfg, *to)
	if err != nil {
		return err
	}
	if *remove {
		had, err := v.Remove(bridge.IDOf(d))
		if err == nil && !had {
			err = fmt.Errorf("%s is not paired", d.Name)
		}
		if err == nil {
			fmt.Fprintf(w.stdout, "The pairing with %s is forgotten.\n", d.Name)
		}
		return err
	}
	if err := bridge.Pair(ctx, d, c, v, pair.Config{Logger: w.logger(cfg.Log)}, w.askPIN); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "Paired with %s.\n", d.Name)
	return nil
}

// askPIN asks who sits here. The reader of standard input outlives a call that
// is interrupted: nothing can end it but the program.
func (w world) askPIN(ctx context.Context) (string, error) {
	fmt.Fprint(w.stdout, "The PIN that the device shows: ")
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(w.stdin).ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("interrupted")
	case a := <-got:
		pin := strings.ReplaceAll(strings.TrimSpace(a.line), " ", "")
		if pin == "" || a.err != nil && a.err != io.EOF {
			return "", errors.New("no PIN was typed")
		}
		return pin, nil
	}
}

// device finds a device by its name or id, or takes host:port for one.
func (w world) device(ctx context.Context, cfg config.Config, name string) (discovery.Device, config.Device, error) {
	for _, c := range cfg.Devices {
		if c.Host != "" && strings.EqualFold(c.Name, name) {
			return discovery.Device{ID: config.NormalID(c.ID), Name: c.Name}, c, nil
		}
	}
	if d, c, ok := addressed(name); ok {
		return d, c, nil
	}
	same := func(d discovery.Device) bool { return strings.EqualFold(d.Name, name) || strings.EqualFold(d.ID, name) }
	found, err := w.find(ctx, cfg, 5*time.Second, same)
	if err != nil {
		return discovery.Device{}, config.Device{}, err
	}
	for _, d := range found {
		if same(d) {
			return d, overrideOf(cfg, d), nil
		}
	}
	return discovery.Device{}, config.Device{}, fmt.Errorf("no device %q was found; `bridge discover` lists them", name)
}

// addressed makes a device of host:port.
func addressed(name string) (discovery.Device, config.Device, bool) {
	host, service, err := net.SplitHostPort(name)
	if err != nil {
		return discovery.Device{}, config.Device{}, false
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return discovery.Device{}, config.Device{}, false
	}
	return discovery.Device{Name: name}, config.Device{Name: name, Host: host, Port: port}, true
}

const credentialsHelp = `What pairings have left, to take it along. An export is in plain text: who has it
can play on the devices. To import, - is standard input; besides exports, lines
are understood that hold a device's id (` + "`bridge discover -json`" + ` shows it) and
its credentials as pyatv shows them:

  bridge credentials export > paired.json
  bridge credentials import paired.json
  echo "AABBCCDDEEFF 75FBEEC7...:8F06696F..." | bridge credentials import -
`

func (w world) credentials(_ context.Context, args []string) error {
	f := w.flags("credentials")
	path := f.String("config", "", configHelp)
	if err := w.parse(f, args, 1, 2); err != nil {
		return err
	}
	cfg, err := w.load(*path)
	if err != nil {
		return err
	}
	v, err := bridge.OpenVault(cfg)
	if err != nil {
		return err
	}
	switch {
	case f.Arg(0) == "export" && f.NArg() == 1:
		text, err := v.Export()
		if err == nil {
			_, err = w.stdout.Write(text)
		}
		return err
	case f.Arg(0) == "import" && f.NArg() == 2:
		text, err := w.readAll(f.Arg(1))
		if err != nil {
			return err
		}
		n, err := v.Import(text)
		if err == nil {
			fmt.Fprintf(w.stdout, "Credentials of %d devices are kept.\n", n)
		}
		return err
	}
	fmt.Fprintln(w.stderr, "bridge credentials: say export, or import FILE")
	return errUsage
}

// maxImport is more than a thousand devices need.
const maxImport = 1 << 20

func (w world) readAll(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(w.stdin, maxImport))
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxImport))
}
