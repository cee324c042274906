package ffmpeg

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// A Conversion says what a Converter does. Its zero value copies pictures and
// sound as they are.
type Conversion struct {
	Config
	// Pictures and Sound say that they are coded anew, as H.264 and AAC.
	Pictures, Sound Coding
	// HEVC and AAC say that this is what is copied: players want HEVC tagged in
	// one of two ways, and AAC may have heads that belong into streams only.
	HEVC, AAC bool
}

// Coding is what happens to what is coded already.
type Coding int

// What happens to what is coded already.
const (
	Copy Coding = iota // it stays as it is
	Anew               // it is decoded, and coded anew
)

// A Converter makes a fragmented MP4 stream of a film. It is a guest under the
// rules of this package, but for the codecs: it may look at pictures, and where
// they are coded anew it decodes them and has more memory.
type Converter struct {
	guest   *guest
	timeout time.Duration
	began   atomic.Bool
}

// ErrFilm is wrapped by errors for what is no film that ffmpeg reads.
var ErrFilm = errors.New("ffmpeg: no film that it reads")

// stall is how long may come nothing.
const stall = 60 * time.Second

// NewConverter starts ffmpeg. A goroutine of the converter's reads r from then
// on, until it ends or Close is called; the caller closes r after that. Errors
// wrap ErrNotInstalled.
func NewConverter(r io.Reader, c Conversion) (*Converter, error) {
	if c.Path == "" {
		path, ok := Find()
		if !ok {
			return nil, ErrNotInstalled
		}
		c.Path = path
	}
	if c.Pictures == Anew && c.Memory <= 0 {
		c.Memory = 1 << 30
	}
	if c.CPU <= 0 {
		c.CPU = 24 * time.Hour // what gives nothing for a minute is ended
	}
	if c.Timeout <= 0 {
		c.Timeout = stall
	}
	g, err := invite(c.Config, c.arguments(), newSource(r).open)
	if err != nil {
		return nil, err
	}
	return &Converter{guest: g, timeout: c.Timeout}, nil
}

// arguments are those of the command line. None of them comes from outside.
func (c Conversion) arguments() []string {
	args := []string{
		"-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info",
		"-protocol_whitelist", "pipe", "-format_whitelist", formats, "-codec_whitelist", codecs + "," + pictureCodecs,
		"-threads", "2", "-probesize", "5000000", "-analyzeduration", "5000000",
		"-i", "pipe:0",
		// The first film that is no cover, and the first sound, if there is one.
		"-map", "0:V:0", "-map", "0:a:0?", "-sn", "-dn", "-map_chapters", "-1", "-map_metadata", "-1",
	}
	switch {
	case c.Pictures == Anew:
		args = append(args, "-c:v", "libx264", "-preset", "veryfast", "-crf", "22", "-maxrate", "8M", "-bufsize", "16M",
			"-pix_fmt", "yuv420p", "-profile:v", "high", "-threads:v", "2", "-g", "250",
			"-force_key_frames", "expr:gte(t,n_forced*4)", "-vf", "scale=w=trunc(min(1920\\,iw)/2)*2:h=-2")
	case c.HEVC:
		args = append(args, "-c:v", "copy", "-tag:v", "hvc1")
	default:
		args = append(args, "-c:v", "copy")
	}
	switch {
	case c.Sound == Anew:
		args = append(args, "-c:a", "aac", "-b:a", "192k", "-ac", "2")
	case c.AAC:
		args = append(args, "-c:a", "copy", "-bsf:a", "aac_adtstoasc")
	default:
		args = append(args, "-c:a", "copy")
	}
	return append(args, "-avoid_negative_ts", "make_zero", "-max_muxing_queue_size", "1024",
		"-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "6000000",
		"-flush_packets", "1", "-f", "mp4", "pipe:1")
}

// pictureCodecs are the decoders for pictures that the guest may use.
var pictureCodecs = strings.Join([]string{
	"h264", "hevc", "mpeg4", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "mpeg1video", "mpeg2video", "h263", "flv",
	"vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "libaom-av1", "theora", "wmv1", "wmv2", "wmv3", "vc1",
	"mjpeg", "rv30", "rv40", "dvvideo", "prores",
}, ",")

// Read reads the stream. Its first error other than io.EOF says why there is
// no more, or nothing: wrapping ErrFilm for what ffmpeg does not know.
func (c *Converter) Read(p []byte) (int, error) {
	if c.guest.stop.Load() {
		return 0, fs.ErrClosed
	}
	c.guest.stdout.SetReadDeadline(time.Now().Add(c.timeout))
	n, err := c.guest.stdout.Read(p)
	switch {
	case n > 0:
		c.began.Store(true)
		return n, nil
	case os.IsTimeout(err):
		c.guest.kill()
		return 0, fmt.Errorf("ffmpeg: nothing came for %v: %w", c.timeout, err)
	case err == nil:
		return 0, nil
	case c.began.Load():
		return 0, c.guest.end()
	}
	if err = c.guest.explain(); errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w%s", ErrFilm, c.guest.log.complaint())
	}
	return 0, err
}

// Close ends ffmpeg and waits for all that the converter started, as that of a
// [Decoder] does.
func (c *Converter) Close() error {
	c.guest.dismiss()
	return nil
}
