package mediaserver

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
)

// errFull ends the writing of what is too long.
var errFull = errors.New("mediaserver: more than a playlist may have")

// kept is an answer that is kept, up to the length of a playlist.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	if k.body.Len()+len(b) > playlistMost {
		return 0, errFull
	}
	return k.body.Write(b)
}

// Within gets what is at an address of this server, for receivers that have
// their senders fetch playlists: over the network the sender would be refused. It
// is false for other addresses.
func (s *Server) Within(ctx context.Context, address string) (status int, mime string, body []byte, ours bool) {
	base := strings.TrimSuffix(s.url, s.path)
	path, ours := strings.CutPrefix(address, base)
	if !ours || !strings.HasPrefix(path, "/") || !s.enter() {
		return 0, "", nil, false
	}
	defer s.requests.Done()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", nil, false
	}
	r.RequestURI = path
	k := &kept{header: http.Header{}}
	if name, ok := s.named(r); ok {
		s.answer(k, r, name)
	} else {
		http.NotFound(k, r)
	}
	return k.status, k.header.Get("Content-Type"), k.body.Bytes(), true
}
