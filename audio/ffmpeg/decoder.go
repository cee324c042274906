// Package ffmpeg decodes what Go has no decoder for (AAC, Apple Lossless,
// Windows Media and many more) by an ffmpeg that is installed beside us.
//
//	d, err := ffmpeg.NewDecoder(ctx, r, ffmpeg.Config{})
//	if errors.Is(err, ffmpeg.ErrNotInstalled) {
//		return err // it says that installing ffmpeg would help
//	}
//	defer d.Close()
//	n, err := d.Read(frames)
//
// It is a guest, and what it decodes may have been made by an enemy. So it gets
// the sound through a pipe and gives back a WAV stream through another: it never
// learns a file name, and its whitelist of protocols has the pipe only, so that
// no playlist, film or picture makes it open a file or an address. It knows the
// formats and codecs of sound only, no playlists and no video. It is begun
// without a shell, without an environment, with a low priority and, on Linux,
// with limits to its memory, processor time and files, which stand before it
// sees the first byte of the sound. It ends with its decoder, and with us.
//
// WAV was chosen for the way back because it brings what is needed before the
// first sample: the rate and the channels as the sound has them, so that
// resampling and mixing are ours, where the channels belong, and the tags. Its
// floats hold samples of up to 24 bits exactly.
//
// A [Converter] is another guest: it makes of a film one that players of AirPlay
// receivers know, and so looks at pictures too.
//
// An MP4 file may have its index at its end, where a pipe is no use. Such a file
// is handed over with the index in front if the reader can seek, or if it is so
// small that it can be kept in memory.
package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"airplay2mqtt/audio/tags"
	"airplay2mqtt/audio/wav"
)

var (
	// ErrNotInstalled is wrapped by errors that tell that there is no ffmpeg.
	ErrNotInstalled = errors.New("ffmpeg: not installed; installing ffmpeg would help")
	// ErrFormat is wrapped by errors for what ffmpeg does not decode.
	ErrFormat = errors.New("ffmpeg: no sound that it decodes")
	// ErrNotSeekable is returned by SeekFrame where the reader cannot seek.
	ErrNotSeekable = errors.New("ffmpeg: the stream cannot seek")
)

// Find looks for ffmpeg where programs are. It looks every time: who asks often
// keeps the answer.
func Find() (path string, ok bool) {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return "", false
	}
	path, err = filepath.Abs(path)
	return path, err == nil
}

// A Config says which ffmpeg is used and what it may take. Its zero value works.
type Config struct {
	// Path is the program. Empty: what Find finds.
	Path string
	// Timeout is how long it may take until the first frame. Zero: 10 s.
	Timeout time.Duration
	// Memory is how many bytes it may allocate (Linux only). It needs about 40
	// MiB for itself. Zero: 256 MiB.
	Memory int64
	// CPU is how much processor time it may take beyond the length of the sound
	// that it has decoded (Linux only, in whole seconds). Zero: 30 s.
	CPU time.Duration
}

// A Decoder reads the frames of one sound. It is used by one goroutine at a
// time; Close may be called from any, and ends a Read that waits.
type Decoder struct {
	cfg    Config
	source *source
	rate   int
	about  about
	first  [][2]float32 // decoded already

	stream *wav.Decoder // what comes from the guest
	skip   int64        // frames until the one that was sought
	sound  int64        // frames that the guest has decoded
	failed error        // what Read returns from now on

	mu     sync.Mutex
	guest  *guest
	closed bool
}

// about is what is known of a sound.
type about struct {
	container, codec string
	channels, bits   int
	tags             tags.Tags
}

// NewDecoder starts ffmpeg and waits for the first frames; ctx bounds that. A
// goroutine of the decoder's reads r from then on, until it ends or Close is
// called. If r is an io.Seeker that works, the decoder can seek.
//
// Errors wrap ErrNotInstalled or ErrFormat, the error of r if that failed, or
// context.DeadlineExceeded.
func NewDecoder(ctx context.Context, r io.Reader, cfg Config) (*Decoder, error) {
	if cfg.Path == "" {
		path, ok := Find()
		if !ok {
			return nil, ErrNotInstalled
		}
		cfg.Path = path
	}
	d := &Decoder{cfg: cfg, source: newSource(r)}
	if err := d.begin(ctx, 0); err != nil {
		d.Close()
		return nil, err
	}
	if err := d.readFirst(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// begin starts a guest that decodes from so many seconds on, and reads the
// header of what it gives.
func (d *Decoder) begin(ctx context.Context, from int64) error {
	g, err := invite(d.cfg, arguments(from), d.source.open)
	if err != nil {
		return err
	}
	if !d.take(g) {
		g.dismiss()
		return fs.ErrClosed
	}
	return d.within(ctx, func() error {
		stream, err := wav.NewDecoder(g.stdout)
		if err != nil {
			return err
		}
		d.stream, d.sound = stream, 0
		return nil
	})
}

// readFirst decodes the first frames, so that what has none is refused now, and
// collects what is known by then.
func (d *Decoder) readFirst(ctx context.Context) error {
	const enough = 256
	frames := make([][2]float32, enough)
	err := d.within(ctx, func() error {
		n, err := d.stream.Read(frames)
		d.first = frames[:n]
		if n > 0 {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	d.rate = d.stream.Rate()
	said := d.guest.log.wait()
	m := d.source.movie()
	d.about = about{
		container: said.container, codec: said.codec,
		channels: d.stream.Channels(), bits: m.bits,
		tags: m.tags.Or(d.stream.Tags()),
	}
	if d.about.tags.Duration == 0 {
		d.about.tags.Duration = said.duration
	}
	return nil
}

// within does what waits for the guest, which is ended when that takes too
// long. An error becomes the one that is behind it.
func (d *Decoder) within(ctx context.Context, do func() error) error {
	timeout := d.cfg.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, d.guest.kill)
	err := do()
	if !stop() {
		return fmt.Errorf("ffmpeg: no sound in time: %w", ctx.Err())
	}
	if err != nil {
		return d.guest.explain()
	}
	return nil
}

// arguments are those of the command line. None of them comes from outside.
func arguments(from int64) []string {
	args := []string{
		"-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-max_error_rate", "1",
		// Of what comes in: no other way in, and nothing but sound.
		"-protocol_whitelist", "pipe", "-format_whitelist", formats, "-codec_whitelist", codecs,
		"-threads", "1", "-probesize", "2000000", "-analyzeduration", "1000000",
	}
	if from > 0 {
		args = append(args, "-ss", strconv.FormatInt(from, 10))
	}
	return append(args,
		"-vn", "-sn", "-dn", "-i", "pipe:0",
		"-map", "0:a:0", "-map_chapters", "-1", "-c:a", "pcm_f32le",
		"-flush_packets", "1", "-f", "wav", "pipe:1")
}

// take makes g the decoder's guest, unless the decoder is closed.
func (d *Decoder) take(g *guest) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.guest = g
	return true
}

// Rate is in frames per second. If it changes within the sound, ffmpeg goes on
// at the first one.
func (d *Decoder) Rate() int { return d.rate }

// Channels is how many channels the sound has; what Read returns has two.
func (d *Decoder) Channels() int { return d.about.channels }

// Bits is how many bits a sample has, 0 where that makes no sense or is not
// known.
func (d *Decoder) Bits() int { return d.about.bits }

// Codec is what ffmpeg calls the codec ("aac", "alac", "wmav2"), empty if it did
// not tell.
func (d *Decoder) Codec() string { return d.about.codec }

// Container is what ffmpeg calls the container ("mov", "asf", "aac"), empty if
// it did not tell.
func (d *Decoder) Container() string { return d.about.container }

// Len is -1: ffmpeg does not tell how many frames there will be. About how long
// the sound is stands in Tags().Duration, if it is known.
func (d *Decoder) Len() int64 { return -1 }

// Tags is what the sound says of itself at its beginning, or in the index of an
// MP4 file. Tags at the end of other files (APE) are not seen.
func (d *Decoder) Tags() tags.Tags { return d.about.tags }

// Seekable tells whether SeekFrame works.
func (d *Decoder) Seekable() bool { return d.source.seekable() }

// Read fills p with frames and returns how many. At the end, of the sound or of
// what is left of a truncated one, it returns io.EOF. It returns fewer than p
// holds where waiting would be the alternative.
func (d *Decoder) Read(p [][2]float32) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if d.failed == nil && d.guest.stop.Load() {
		d.failed = fs.ErrClosed
	}
	if len(d.first) > 0 && d.failed == nil {
		n := copy(p, d.first)
		d.first = d.first[n:]
		return n, nil
	}
	for d.failed == nil {
		n, err := d.stream.Read(p)
		d.allow(n)
		if dropped := int(min(int64(n), d.skip)); dropped > 0 {
			d.skip -= int64(dropped)
			n = copy(p, p[dropped:n])
		}
		if err != nil {
			d.failed = d.guest.end()
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, d.failed
}

// allow lets the guest work on, if it has decoded enough for that.
func (d *Decoder) allow(frames int) {
	const often = 10 // seconds of sound
	before := d.sound / int64(often*d.stream.Rate())
	d.sound += int64(frames)
	if now := d.sound / int64(often*d.stream.Rate()); now != before {
		d.guest.allow(d.cfg, time.Duration(now*often)*time.Second)
	}
}

// preroll is how many seconds before a frame decoding begins, so that a codec
// whose frames overlap has all that it needs.
const preroll = 1

// SeekFrame makes the next Read begin at frame n. Behind the last frame there is
// only the end.
//
// It starts ffmpeg anew. In a file of the MP4 family with nothing but sound it
// goes to the place by the index; in all others everything up to there is
// decoded, which takes a few seconds for an hour. The place is exact in either
// case. So are the samples, but for those of AAC's noise substitution, which are
// made up by the decoder.
func (d *Decoder) SeekFrame(n int64) error {
	if n < 0 {
		return fmt.Errorf("ffmpeg: seek to frame %d", n)
	}
	if !d.Seekable() {
		return ErrNotSeekable
	}
	var from int64
	if d.source.movie().indexed {
		from = max(n/int64(d.rate)-preroll, 0)
	}
	d.first, d.failed, d.skip = nil, d.restart(from), n-from*int64(d.rate)
	if d.failed != nil {
		return fmt.Errorf("ffmpeg: seek: %w", d.failed)
	}
	return nil
}

// restart replaces the guest by one that decodes from so many seconds on.
func (d *Decoder) restart(from int64) error {
	d.guest.dismiss()
	if !d.guest.finished() {
		return errors.New("the last Read of the reader has not returned")
	}
	if err := d.begin(context.Background(), from); err != nil {
		return err
	}
	if rate := d.stream.Rate(); rate != d.rate {
		return fmt.Errorf("%w: it has %d frames a second now", ErrFormat, rate)
	}
	return nil
}

// Close ends ffmpeg, which takes no time to speak of, and waits for all that the
// decoder started. It does not close r, and does not wait for more than half a
// second for a Read of r that does not return: that ends when the caller closes
// r, and nothing is read after it.
func (d *Decoder) Close() error {
	d.mu.Lock()
	d.closed = true
	g := d.guest
	d.mu.Unlock()
	if g != nil {
		g.dismiss()
	}
	return nil
}
