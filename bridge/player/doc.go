// Package player is one speaker's mind: it takes commands, keeps a session
// while there is something to play, and tells its state.
//
//	p := player.New(player.Config{Dial: dial, Open: open, Notify: publish})
//	go p.Run(ctx)
//	err := p.Send(player.Play{URL: "http://nas/bell.mp3"}, func(err error) {
//		// nil once the first frame is heard
//	})
//
// It knows neither protocols nor files nor topics: these come in through its
// [Config]. Everything that may happen to a speaker is a case of the one select
// statement in [Player.Run].
package player
