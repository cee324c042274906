package discovery

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// leaderBit is set in the status flags of the half that leads a stereo
	// pair (docs/protocols/raop.md, status flags).
	leaderBit = 0x2000
	// settlingHalf is how long a half that does not claim to lead waits for
	// the other to appear.
	settlingHalf = 3 * time.Second
	// remembering is how long a leader that is not there keeps its place. A
	// HomePod that restarts must not make its other half a device meanwhile.
	remembering = 10 * time.Minute
)

// pairMemory remembers which half leads which pair, because the records tell
// it only now and then: for a while both may claim it, or none.
type pairMemory map[string]leader

type leader struct {
	id   string
	seen time.Time
}

// pairUp shows each stereo pair as one device: the leader, with the name of the
// pair. The others get their Leader set, and so are hidden.
func pairUp(all []candidate, memory pairMemory, now time.Time) []candidate {
	pairs := map[string][]int{}
	for i, d := range all {
		if d.pair != "" {
			pairs[d.pair] = append(pairs[d.pair], i)
		}
	}
	for name, halves := range pairs {
		lead := memory.decide(name, all, halves, now)
		var others []string
		for _, i := range halves {
			d := &all[i]
			if d.ID != lead {
				d.Leader = lead
				others = append(others, d.ID)
			}
		}
		for _, i := range halves {
			if d := &all[i]; d.ID == lead {
				d.follow(others)
			}
		}
	}
	memory.forget(now)
	return all
}

// follow makes a device the leader of a pair.
func (d *candidate) follow(others []string) {
	d.Followers = others
	d.Name = cmp.Or(clean(d.AirPlay.TXT["gpn"]), d.Name)
	d.settle = max(d.settle, settling)
	if len(others) == 0 && !d.claims {
		d.settle = settlingHalf
	}
}

// decide tells the ID of the half that leads: the only one that claims it, else
// the one that led before, else the lowest.
func (m pairMemory) decide(pair string, all []candidate, halves []int, now time.Time) string {
	var ids, claims []string
	for _, i := range halves {
		ids = append(ids, all[i].ID)
		if all[i].claims {
			claims = append(claims, all[i].ID)
		}
	}
	lead := m[pair].id
	switch {
	case len(claims) == 1:
		lead = claims[0]
	case lead != "":
	case len(claims) > 1:
		lead = slices.Min(claims)
	default:
		lead = slices.Min(ids)
	}
	sure := len(ids) > 1 || len(claims) == 1 || now.Sub(all[halves[0]].first) >= settlingHalf
	if sure && slices.Contains(ids, lead) {
		m[pair] = leader{lead, now}
	}
	return lead
}

func (m pairMemory) forget(now time.Time) {
	for pair, l := range m {
		if now.Sub(l.seen) >= remembering {
			delete(m, pair)
		}
	}
}

// leads tells whether status flags claim that a device leads its pair.
func leads(flags string) bool {
	n, err := strconv.ParseUint(strings.TrimSpace(flags), 0, 64)
	return err == nil && n&leaderBit != 0
}
