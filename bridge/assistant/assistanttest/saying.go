package assistanttest

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Saying is a WebSocket that says these things, whatever it is told, and hangs
// up: texts as they are, durations by being silent so long, all else as JSON.
func Saying(things ...any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for _, thing := range things {
			switch v := thing.(type) {
			case string:
				err = conn.WriteMessage(websocket.TextMessage, []byte(v))
			case time.Duration:
				conn.SetReadDeadline(time.Now().Add(v))
				for err == nil {
					_, _, err = conn.ReadMessage()
				}
			default:
				err = conn.WriteJSON(v)
			}
			if err != nil {
				return
			}
		}
	})
}
