package audio

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
)

// pictureBytes bounds the memory that a picture may take while it is decoded:
// a JPEG of 22 megapixels, or a PNG of 16.
const pictureBytes = 64 << 20

// Artwork makes a JPEG of a picture (JPEG, PNG or GIF), scaled down so
// that no side is longer than side. One that is a JPEG of that size already is
// returned as it is. A picture that would take more than about 64 MiB to decode
// is an error, found before it is decoded.
func Artwork(picture []byte, side int) (jpg []byte, err error) {
	defer recovered(&err)
	if side < 1 {
		return nil, fmt.Errorf("audio: artwork of %d pixels", side)
	}
	img, plain, err := decodePicture(picture, side)
	if err != nil {
		return nil, fmt.Errorf("audio: artwork: %w", err)
	}
	if plain {
		return picture, nil
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, shrink(img, side), &jpeg.Options{Quality: 85}); err != nil {
		return nil, fmt.Errorf("audio: artwork: %w", err)
	}
	return out.Bytes(), nil
}

const jpegMagic = "\xff\xd8\xff"

var pictureFormats = []struct {
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}{
	{jpegMagic, jpeg.DecodeConfig, jpeg.Decode},
	{"\x89PNG", png.DecodeConfig, png.Decode},
	{"GIF8", gif.DecodeConfig, gif.Decode},
}

// decodePicture decodes a picture after a look at its size. plain tells that it
// is a JPEG that any receiver can show, of the right size.
func decodePicture(b []byte, side int) (img image.Image, plain bool, err error) {
	for _, f := range pictureFormats {
		if !bytes.HasPrefix(b, []byte(f.magic)) {
			continue
		}
		c, err := f.config(bytes.NewReader(b))
		if err != nil {
			return nil, false, err
		}
		if c.Width < 1 || c.Height < 1 {
			return nil, false, errors.New("a picture without pixels")
		}
		jpg := f.magic == jpegMagic
		progressive := jpg && isProgressive(b)
		if need := int64(c.Width) * int64(c.Height) * perPixel(c.ColorModel, progressive); need > pictureBytes {
			return nil, false, fmt.Errorf("%d by %d pixels are too many", c.Width, c.Height)
		}
		img, err := f.decode(bytes.NewReader(b))
		if err != nil {
			return nil, false, err
		}
		plain = jpg && !progressive && c.ColorModel != color.CMYKModel && max(c.Width, c.Height) <= side
		return img, plain, nil
	}
	return nil, false, errors.New("neither JPEG nor PNG nor GIF")
}

// perPixel is how many bytes a decoder takes for a pixel.
func perPixel(m color.Model, progressive bool) int64 {
	n := int64(4)
	switch m {
	case color.YCbCrModel:
		n = 3
	case color.GrayModel:
		n = 1
	case color.RGBA64Model, color.NRGBA64Model:
		n = 8
	}
	if progressive { // all coefficients are kept, four bytes each
		n *= 5
	}
	return n
}

// isProgressive looks for the marker of a progressive JPEG among the segments
// before the picture.
func isProgressive(b []byte) bool {
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		switch marker := b[i+1]; {
		case marker == 0xc2:
			return true
		case marker == 0xc0, marker == 0xc1, marker == 0xda:
			return false
		case marker == 0xff || marker == 0x01 || marker >= 0xd0 && marker <= 0xd8:
			i++ // filling, or a marker without a length
			if marker != 0xff {
				i++
			}
		default:
			i += 2 + int(b[i+2])<<8 + int(b[i+3])
		}
	}
	return false
}

// shrink makes a picture fit, on white where one can see through it.
func shrink(img image.Image, side int) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	// Halving, which takes the mean of four pixels, is cheap; only the last step
	// is made with care.
	for max(w, h) >= 4*side {
		w, h = max(1, w/2), max(1, h/2)
		img = paint(draw.ApproxBiLinear, img, w, h)
	}
	if long := max(w, h); long > side {
		w, h = max(1, (w*side+long/2)/long), max(1, (h*side+long/2)/long)
	}
	return paint(draw.CatmullRom, img, w, h)
}

func paint(s draw.Scaler, img image.Image, w, h int) image.Image {
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(to, to.Bounds(), image.White, image.Point{}, draw.Src)
	s.Scale(to, to.Bounds(), img, img.Bounds(), draw.Over, nil)
	return to
}
