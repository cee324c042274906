package audio_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"airplay2mqtt/audio"
)

// picture is red on the left half and green on the right.
func picture(w, h int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{255, 0, 0, 255}
			if x >= w/2 {
				c = color.NRGBA{0, 255, 0, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func encoded(t testing.TB, kind string, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	err := error(nil)
	switch kind {
	case "jpeg":
		err = jpeg.Encode(&b, img, nil)
	case "png":
		err = png.Encode(&b, img)
	case "gif":
		err = gif.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func near(a, b uint32) bool { return a>>8 < b>>8+40 && b>>8 < a>>8+40 }

func TestArtworkFits(t *testing.T) {
	for _, c := range []struct{ w, h, side, wantW, wantH int }{
		{100, 100, 500, 100, 100}, {300, 300, 200, 200, 200}, {500, 250, 100, 100, 50},
		{30, 900, 300, 10, 300}, {2000, 3, 100, 100, 1}, {1, 1, 1, 1, 1},
	} {
		for _, kind := range []string{"jpeg", "png", "gif"} {
			got, err := audio.Artwork(encoded(t, kind, picture(c.w, c.h)), c.side)
			if err != nil {
				t.Errorf("%s of %d by %d: %v", kind, c.w, c.h, err)
				continue
			}
			img, err := jpeg.Decode(bytes.NewReader(got))
			if err != nil {
				t.Fatalf("%s of %d by %d: %v", kind, c.w, c.h, err)
			}
			if b := img.Bounds(); b.Dx() != c.wantW || b.Dy() != c.wantH {
				t.Errorf("%s of %d by %d: got %v, want %d by %d", kind, c.w, c.h, b, c.wantW, c.wantH)
			}
			if c.wantW < 100 || c.wantH < 50 {
				continue
			}
			r, g, _, _ := img.At(c.wantW/4, c.wantH/2).RGBA()
			r2, g2, _, _ := img.At(c.wantW*3/4, c.wantH/2).RGBA()
			if !near(r, 0xffff) || !near(g, 0) || !near(r2, 0) || !near(g2, 0xffff) {
				t.Errorf("%s of %d by %d: got other colours", kind, c.w, c.h)
			}
		}
	}
}

func TestAJPEGThatFitsIsLeftAlone(t *testing.T) {
	want := encoded(t, "jpeg", picture(300, 200))
	if got, err := audio.Artwork(want, 300); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d other bytes, %v", len(got), err)
	}
}

func TestWhatIsTransparentBecomesWhite(t *testing.T) {
	got, err := audio.Artwork(encoded(t, "png", image.NewNRGBA(image.Rect(0, 0, 50, 50))), 100)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if r, g, b, _ := img.At(25, 25).RGBA(); !near(r, 0xffff) || !near(g, 0xffff) || !near(b, 0xffff) {
		t.Errorf("got %v, want white", img.At(25, 25))
	}
}

// hugePNG says that it has a great many pixels, in a few bytes.
func hugePNG(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, 6, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestPicturesThatCannotBeMadeFitAreErrors(t *testing.T) {
	whole := encoded(t, "jpeg", picture(300, 200))
	for name, b := range map[string][]byte{
		"nothing": nil, "text": []byte("no picture"), "cut": whole[:len(whole)/2], "head": whole[:3],
		"huge": hugePNG(40000, 40000), "very huge": hugePNG(1<<31-1, 1<<31-1), "no pixels": hugePNG(0, 10),
	} {
		if got, err := audio.Artwork(b, 100); err == nil {
			t.Errorf("%s: got %d bytes, want an error", name, len(got))
		}
	}
	if _, err := audio.Artwork(whole, 0); err == nil {
		t.Error("side 0: got no error")
	}
}

func FuzzArtwork(f *testing.F) {
	for _, kind := range []string{"jpeg", "png", "gif"} {
		f.Add(encoded(f, kind, picture(20, 10)))
	}
	f.Add(hugePNG(60000, 60000))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := audio.Artwork(b, 16)
		if err != nil {
			return
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(got)); err != nil || c.Width > 16 || c.Height > 16 {
			t.Errorf("got %d by %d, %v", c.Width, c.Height, err)
		}
	})
}

func BenchmarkArtwork(b *testing.B) {
	cover := encoded(b, "jpeg", picture(3000, 3000))
	for b.Loop() {
		if _, err := audio.Artwork(cover, 500); err != nil {
			b.Fatal(err)
		}
	}
}
