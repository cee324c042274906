// Package audio reads sound: from a path, an http URL, a reader or standard
// input, it makes frames of two 32-bit floats at 44100 a second.
//
//	track, err := audio.Open(ctx, "doorbell.mp3")
//	if err != nil {
//		return err
//	}
//	defer track.Close()
//	n, err := track.Read(frames)
//
// For control over where sound may come from, how large it may be and how far
// ahead it is read, make an [Opener].
package audio
