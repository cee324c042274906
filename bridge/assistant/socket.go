package assistant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// longest is how long a message of the WebSocket API may be. The list of
// engines names all languages of each.
const longest = 4 << 20

// A said is any message of the WebSocket API.
type said struct {
	ID      int             `json:"id"`
	Type    string          `json:"type"`
	Message string          `json:"message"` // of auth_invalid
	Success bool            `json:"success"`
	Result  json.RawMessage `json:"result"`
	Error   struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// command gives one command of the WebSocket API, on a connection of its own,
// and reads its result.
func (c *Client) command(ctx context.Context, question map[string]any, result any) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// What waits for the other end is woken by the end of ctx.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	err = c.talk(conn, question, result)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	return err
}

// connect opens the WebSocket.
func (c *Client) connect(ctx context.Context) (*websocket.Conn, error) {
	d := websocket.Dialer{NetDialContext: c.cfg.DialContext, TLSClientConfig: c.cfg.TLS, HandshakeTimeout: 10 * time.Second}
	conn, answer, err := d.DialContext(ctx, "ws"+strings.TrimPrefix(c.cfg.URL, "http")+"/api/websocket", nil)
	switch {
	case answer != nil && answer.StatusCode != http.StatusSwitchingProtocols:
		return nil, fmt.Errorf("its WebSocket answers %s", answer.Status)
	case err != nil:
		return nil, fmt.Errorf("its WebSocket: %w", err)
	}
	conn.SetReadLimit(longest)
	return conn, nil
}

// talk shows the token, puts the question and waits for the result.
func (c *Client) talk(conn *websocket.Conn, question map[string]any, result any) error {
	const most = 16 // messages; four are usual
	for range most {
		m, err := hear(conn)
		if err != nil {
			return err
		}
		switch m.Type {
		case "auth_required":
			err = conn.WriteJSON(map[string]string{"type": "auth", "access_token": c.cfg.Token})
		case "auth_ok":
			question["id"] = 1
			err = conn.WriteJSON(question)
		case "auth_invalid":
			return ErrToken
		case "result":
			return m.into(result)
		}
		if err != nil {
			return fmt.Errorf("its WebSocket: %w", err)
		}
	}
	return errors.New("its WebSocket does not come to the point")
}

// hear reads one message. Not by ReadJSON: the limit holds for all of it.
func hear(conn *websocket.Conn) (said, error) {
	_, text, err := conn.ReadMessage()
	if err != nil {
		return said{}, fmt.Errorf("its WebSocket: %w", err)
	}
	return parse(text)
}

func parse(text []byte) (m said, err error) {
	if json.Unmarshal(text, &m) != nil {
		return said{}, errors.New("its WebSocket says what is no JSON")
	}
	return m, nil
}

// into reads the result, or says why there is none.
func (m said) into(result any) error {
	if !m.Success {
		return fmt.Errorf("%s (%s)", short(m.Error.Message), short(m.Error.Code))
	}
	if err := json.Unmarshal(m.Result, result); err != nil {
		return errors.New("its WebSocket gives a result of another shape")
	}
	return nil
}
