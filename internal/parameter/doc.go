// Package parameter has what senders tell receivers by SET_PARAMETER, of either
// AirPlay: how loud to be, and what is playing.
//
//	body := parameter.Volume(0.5)                      // text/parameters
//	body = parameter.Tags(audio.Tags{Title: "Aria"})   // application/x-dmap-tagged
//	image, mediaType := parameter.Artwork(tags.Artwork)
//
// See docs/protocols/raop.md, volume and metadata.
package parameter
