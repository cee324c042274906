// Package rtsp speaks RTSP/1.0 as AirPlay receivers do: requests one at a
// time on one connection, answers matched by their order, passwords by digest.
//
//	client := rtsp.NewClient(conn, rtsp.Config{Password: "secret"})
//	defer client.Close()
//	resp, err := client.Do(ctx, rtsp.Request{Method: "OPTIONS", URI: "*"})
//
// Receivers are careless about RTSP. What is read here is therefore read
// generously, and within bounds. See docs/protocols/raop.md, RTSP.
package rtsp
