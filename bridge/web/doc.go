// Package web is the page of the bridge: one listener for a page in the browser,
// for /healthz and for /metrics.
//
//	page, err := web.New(web.Config{Address: "127.0.0.1:8330", Base: "airplay", Broker: broker})
//	if err != nil {
//		return err
//	}
//	return page.Run(ctx)
//
// The page does nothing that a client of the broker could not do: it hears the
// topics that say how things are, and says commands, by a connection of its own
// to the broker that all browsers share, each by a WebSocket. Besides, it takes
// files to be played once, and shows the log. Who may use it is decided at the
// door (docs/web.md).
package web
