//go:build ignore

// Draws the icon and the logo of the app: a speaker that is heard.
//
//	go run packaging/homeassistant/icon.go FOLDER
package main

import (
	"image"
	"image/color"
	"image/png"
	"log"
	"math"
	"os"
	"path/filepath"
)

var (
	ground = color.NRGBA{0x1f, 0x6f, 0xeb, 0xff}
	chalk  = color.NRGBA{0xff, 0xff, 0xff, 0xff}
)

// A shape tells whether a point belongs to it; the picture is 1 wide
// and 1 high.
type shape func(x, y float64) bool

// badge is a square with round corners.
func badge(x, y float64) bool {
	const r = 0.2
	dx, dy := math.Max(math.Abs(x-0.5)-(0.5-r), 0), math.Max(math.Abs(y-0.5)-(0.5-r), 0)
	return dx*dx+dy*dy <= r*r
}

// mark is a loudspeaker with its two cones, and three waves.
func mark(x, y float64) bool {
	dx, dy := math.Max(math.Abs(x-0.33)-0.12, 0), math.Max(math.Abs(y-0.5)-0.28, 0)
	if dx*dx+dy*dy <= 0.04*0.04 {
		low, high := math.Hypot(x-0.33, y-0.61), math.Hypot(x-0.33, y-0.32)
		return low > 0.115 && high > 0.055 || low < 0.05
	}
	d, angle := math.Hypot(x-0.46, y-0.5), math.Atan2(y-0.5, x-0.46)
	for _, r := range []float64{0.16, 0.27, 0.38} {
		if math.Abs(d-r) <= 0.03 && math.Abs(angle) <= math.Pi/4 {
			return true
		}
	}
	return false
}

// cover is how much of a pixel a shape covers, by 8 by 8 points.
func cover(s shape, px, py, side float64) float64 {
	const n = 8
	hit := 0
	for i := range n {
		for j := range n {
			if s((px+(float64(i)+0.5)/n)/side, (py+(float64(j)+0.5)/n)/side) {
				hit++
			}
		}
	}
	return float64(hit) / (n * n)
}

// draw puts the badge into the middle of a picture.
func draw(width, height int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	side := min(width, height)
	left, top := (width-side)/2, (height-side)/2
	for y := range side {
		for x := range side {
			b := cover(badge, float64(x), float64(y), float64(side))
			m := cover(mark, float64(x), float64(y), float64(side))
			mix := func(a, c uint8) uint8 { return uint8(math.Round(float64(a) + m*(float64(c)-float64(a)))) }
			img.SetNRGBA(left+x, top+y, color.NRGBA{
				mix(ground.R, chalk.R), mix(ground.G, chalk.G), mix(ground.B, chalk.B), uint8(math.Round(255 * b)),
			})
		}
	}
	return img
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("which folder?")
	}
	for name, size := range map[string][2]int{"icon.png": {128, 128}, "logo.png": {250, 100}} {
		f, err := os.Create(filepath.Join(os.Args[1], name))
		if err != nil {
			log.Fatal(err)
		}
		err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, draw(size[0], size[1]))
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}
