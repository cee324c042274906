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
// WAV, AIFF, MP3, FLAC and Ogg (Vorbis, Opus, FLAC) of any rate and number of
// channels are read, also from what cannot seek. What else there is (AAC, Apple
// Lossless, WMA, HLS with these) is read if ffmpeg is installed. A track is read ahead by a
// goroutine of its own, so that its Read never waits: it returns [ErrNotReady],
// and [Buffer.Wait] waits. What a radio plays is told by [Track].Titles.
//
// Receivers want 16 bits; a [Quantizer] makes them, and leaves those that are
// there already as they are: a file of 44100 frames of 16 bits a second is heard
// bit for bit. A [Clip] is a sound kept in memory, for what must sound at once,
// and a [Cache] keeps clips of files.
//
// A radio that is cut off is connected to again, with silence meanwhile; of a
// download that is, the rest is asked for. [Opener.Entries] lists playlists and
// folders, [Opener.Probe] tells what a sound is.
//
// For control over where sound may come from, how large it may be and how far
// ahead it is read, make an [Opener].
package audio
