package parameter

import (
	"bytes"
	"image"
	"image/jpeg"
	_ "image/png" // as found in tags

	"golang.org/x/image/draw"
)

// What receivers take of artwork without trouble.
const (
	artworkSide  = 600
	artworkBytes = 200 << 10
	// artworkPixels bounds what is decoded to make it smaller.
	artworkPixels = 12 << 20
)

// Artwork returns the image as a receiver takes it, and its media type:
// unchanged if it is small enough, else smaller and as JPEG. It returns nil
// for what is no JPEG or PNG.
func Artwork(b []byte) (fitting []byte, mediaType string) {
	c, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, ""
	}
	if c.Width <= artworkSide && c.Height <= artworkSide && len(b) <= artworkBytes {
		return b, "image/" + format
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > artworkPixels/c.Height {
		return nil, ""
	}
	large, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, ""
	}
	scale := min(1, float64(artworkSide)/float64(max(c.Width, c.Height)))
	small := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(c.Width)*scale)), max(1, int(float64(c.Height)*scale))))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), large, large.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: 85}); err != nil {
		return nil, ""
	}
	return out.Bytes(), "image/jpeg"
}
