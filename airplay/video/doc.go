// Package video has AirPlay receivers play films by their addresses: the
// receiver fetches the film itself, and tells how far it is.
//
//	tv, err := video.Dial(ctx, "192.168.1.30:7000", nil)
//	if err != nil {
//		return err
//	}
//	defer tv.Close()
//	film, err := tv.Play(ctx, "http://192.168.1.5/film.mp4", 0)
//	if err != nil {
//		return err
//	}
//	for state := range film.States() {
//		fmt.Println(state.Status, state.Position)
//	}
//	return film.Err()
//
// It speaks the first AirPlay (docs/protocols/video.md): Apple TV 2 and 3, and
// what is like them. What plays on an Apple TV is decided by package film; what
// it cannot fetch is served by package mediaserver.
package video
