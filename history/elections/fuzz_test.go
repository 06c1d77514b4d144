package elections

import (
	"encoding/json"
	"strings"
	"testing"

	"squall/history"
)

// Any text is a record that can be summed up, or is refused.
func FuzzRecord(f *testing.F) {
	whole := &Record{SchemaVersion: SchemaVersion, Nodes: record().Nodes, Net: Net{Target: 15, OneWay: Spread{0, 10}, Bare: Sample{N: 1, P50: 1}}, Disk: &Spread{0, 6},
		Ranges: []Range{{Min: 150, Max: 300, Heartbeat: 75, Seconds: 5, Trials: []Trial{
			{Leader: "n1", Outcome: Elected, Asked: 5, Found: Found{NoLeader: 300, Rounds: 2, Split: 1, Lengths: map[string]uint64{"n2": 1}}},
			{Outcome: Invalid, Why: "no"}, {Outcome: Undecided, End: 1 << 62, Found: Found{NoLeader: 700, Crash: 1}}}}}}
	text, err := json.Marshal(whole)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(strings.Replace(string(text), `"noLeader":300`, `"noLeader":-1e308`, 1)))
	f.Add([]byte(`{"schemaVersion":1,"nodes":["a","b","c"],"ranges":[{"min":2,"max":2,"trials":null}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decode(text)
		if err != nil {
			return
		}
		for _, s := range r.Summarize(3) {
			_ = s.Reason()
		}
		r.Recompute(&history.History{Header: history.Header{Nodes: r.Nodes}, Nodes: splitVote()})
		if n := len(r.Summarize(1)); n != len(r.Ranges) || n > maxRanges {
			t.Errorf("%d ranges of %d", n, len(r.Ranges))
		}
	})
}
