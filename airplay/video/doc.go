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
// There are three ways (docs/protocols/video.md): that of Apple TV 2 and 3 and
// what is like them, that of tvOS 13 to 17, and that of tvOS 18 and later; [Ways]
// tells which to try on a receiver. What plays on an Apple TV is decided by package film; what
// it cannot fetch is served by package mediaserver.
package video
