// Package media holds the border of what may be played: the folders that files
// come from, and the addresses that URLs may lead to. Whoever can publish on
// the broker can name any path and any URL; what they name goes through here.
//
//	folders := media.NewFolders("./media")
//	f, err := folders.Open("chimes/door.flac")
//
//	guard, err := media.NewGuard(allow, deny)
//	opener := audio.Opener{DialContext: guard.DialContext}
package media
