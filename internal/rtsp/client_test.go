package rtsp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// serve answers each request on a pipe with what answer returns, after the
// given time; a code of 0 is no answer.
func serve(t *testing.T, cfg rtsp.Config, answer func(n int, r rtsp.Request) (rtsp.Response, time.Duration)) *rtsp.Client {
	near, far := net.Pipe()
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer far.Close()
		br := bufio.NewReader(far)
		for n := 0; ; n++ {
			req, err := rtsp.ReadRequest(br)
			if err != nil {
				return
			}
			resp, wait := answer(n, req)
			time.Sleep(wait)
			if resp.Code == 0 {
				continue
			}
			if _, err := far.Write(resp.AppendTo(nil)); err != nil {
				return
			}
		}
	}()
	c := rtsp.NewClient(near, cfg)
	t.Cleanup(func() {
		c.Close()
		<-over
	})
	return c
}

func ok(body string) rtsp.Response {
	return rtsp.Response{Code: 200, Reason: "OK", Header: rtsp.Header{{"CSeq", "4711"}}, Body: []byte(body)}
}

var options = rtsp.Request{Method: "OPTIONS", URI: "*"}

func TestAnswersAreMatchedByOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, rtsp.Config{}, func(n int, r rtsp.Request) (rtsp.Response, time.Duration) {
			return ok(r.Header.Get("CSeq") + " " + r.Method), 0
		})
		for i := 1; i <= 3; i++ {
			got, err := c.Do(t.Context(), options)
			if want := fmt.Sprintf("%d OPTIONS", i); err != nil || string(got.Body) != want {
				t.Errorf("got %q, %v, want %q", got.Body, err, want)
			}
		}
	})
}

func TestRequestsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, rtsp.Config{}, func(n int, r rtsp.Request) (rtsp.Response, time.Duration) {
			return ok(r.Method), time.Second
		})
		done := make(chan string)
		for _, m := range []string{"FLUSH", "OPTIONS", "RECORD"} {
			go func() {
				resp, err := c.Do(t.Context(), rtsp.Request{Method: m, URI: "*"})
				done <- fmt.Sprint(err, string(resp.Body) == m)
			}()
		}
		for range 3 {
			if got := <-done; got != "<nil> true" {
				t.Errorf("got %s", got)
			}
		}
	})
}

func TestLeavingEarlyDoesNotBreakTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, rtsp.Config{}, func(n int, r rtsp.Request) (rtsp.Response, time.Duration) {
			return ok(r.Method), 3 * time.Second
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Do(ctx, options); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		got, err := c.Do(t.Context(), rtsp.Request{Method: "FLUSH", URI: "*"})
		if err != nil || string(got.Body) != "FLUSH" {
			t.Errorf("got %q, %v, want FLUSH", got.Body, err)
		}
	})
}

func TestNoAnswerEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, rtsp.Config{Patience: 5 * time.Second}, func(int, rtsp.Request) (rtsp.Response, time.Duration) {
			return rtsp.Response{}, 0
		})
		begun := time.Now()
		_, err := c.Do(t.Context(), options)
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != 5*time.Second {
			t.Errorf("got %v after %v, want os.ErrDeadlineExceeded after 5s", err, time.Since(begun))
		}
		<-c.Done()
		if _, err := c.Do(t.Context(), options); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("afterwards: got %v, want os.ErrDeadlineExceeded", err)
		}
	})
}

func TestHangUpIsSeenWithoutAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := rtsp.NewClient(near, rtsp.Config{})
		defer c.Close()
		synctest.Wait()
		if err := c.Err(); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		far.Close()
		<-c.Done()
		if err := c.Err(); err != io.EOF || !rtsp.HungUp(err) {
			t.Errorf("got %v, want io.EOF", err)
		}
	})
}

func TestCloseEndsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, rtsp.Config{}, func(int, rtsp.Request) (rtsp.Response, time.Duration) { return rtsp.Response{}, 0 })
		go func() {
			time.Sleep(time.Second)
			c.Close()
			c.Close()
		}()
		if _, err := c.Do(t.Context(), options); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	})
}

func TestUnaskedAnswersDoNotGoOnForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := rtsp.NewClient(near, rtsp.Config{})
		defer c.Close()
		go func() {
			for {
				if _, err := far.Write(ok("").AppendTo(nil)); err != nil {
					return
				}
			}
		}()
		<-c.Done()
		if err := c.Err(); !errors.Is(err, rtsp.ErrMalformed) {
			t.Errorf("got %v, want ErrMalformed", err)
		}
	})
}

func unauthorized(challenge string) rtsp.Response {
	return rtsp.Response{Code: 401, Reason: "Unauthorized", Header: rtsp.Header{{"WWW-Authenticate", challenge}}}
}

func TestPasswordIsAnsweredOnceAndThenSentAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rtsp.Digest{Challenge: rtsp.Challenge{Realm: "raop", Nonce: "n=="}, Password: "secret"}
		asked := 0
		c := serve(t, rtsp.Config{Password: "secret"}, func(n int, r rtsp.Request) (rtsp.Response, time.Duration) {
			asked++
			if n == 3 {
				d.Nonce = "other" // a receiver that wants a new nonce in the middle
			}
			if !d.Verify(r.Header.Get("Authorization"), r.Method) {
				return unauthorized(fmt.Sprintf(`Digest realm="raop", nonce="%s"`, d.Nonce)), 0
			}
			return ok(""), 0
		})
		for i, want := range []int{2, 3, 5} {
			resp, err := c.Do(t.Context(), options)
			if err != nil || resp.Code != 200 || asked != want {
				t.Errorf("request %d: got %d, %v after %d questions, want 200 after %d", i, resp.Code, err, asked, want)
			}
		}
	})
}

func TestWrongPasswordIsNotTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name, password, challenge string
		want                      int
	}{
		{"none given", "", `Digest realm="raop", nonce="n"`, 1},
		{"not a digest", "x", `Basic realm="raop"`, 1},
		{"same nonce", "x", `Digest realm="raop", nonce="n"`, 2},
		{"new nonce each time", "x", `Digest realm="raop", nonce="%d"`, 2},
		{"always stale", "x", `Digest realm="raop", nonce="%d", stale=true`, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			client := serve(t, rtsp.Config{Password: c.password}, func(n int, r rtsp.Request) (rtsp.Response, time.Duration) {
				asked++
				return unauthorized(fmt.Sprintf(c.challenge, n)), 0
			})
			resp, err := client.Do(t.Context(), options)
			if err != nil || resp.Code != 401 || asked != c.want {
				t.Errorf("%s: got %d, %v after %d questions, want 401 after %d", c.name, resp.Code, err, asked, c.want)
			}
		})
	}
}
