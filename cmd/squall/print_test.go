package main

import (
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/measure"
	"squall/internal/plain"
)

// One sample has no median: its figure stands alone.
func TestFiguresOfOneSample(t *testing.T) {
	loss := func(noLeader measure.Millis) measure.Loss {
		return measure.Loss{NewLeader: "n2", Candidate: "n2", NoLeader: noLeader}
	}
	one := measure.Elections{Count: 2, Losses: []measure.Loss{loss(120)}, NoLeaderMedian: 120, NoLeaderMax: 120,
		UnavailableMedian: 200, UnavailableMax: 200, DetectionMedian: 90, DetectionMax: 90, ElectionMedian: 30, ElectionMax: 30}
	two := one
	two.Losses, two.NoLeaderMax, two.DetectionMax = append(two.Losses, loss(140)), 140, 95
	none := measure.Elections{Count: 1, Losses: []measure.Loss{{NoLeader: 5000}}, NoLeaderMax: 5000} // no next leader
	for _, tt := range []struct {
		what string
		of   measure.Elections
		want []string
	}{
		{"one", one, []string{"  leaders      2 elected, 1 lost; without a leader: 120 ms; clients without an answer: 200 ms\n", "  elections    noticed in 90 ms; won in 30 ms; split"}},
		{"two", two, []string{"without a leader: median 120 ms, at most 140 ms; clients", "noticed in median 90 ms, at most 95 ms; won in 30 ms;"}},
		{"one that was the last", none, []string{"without a leader: 5,000 ms; clients"}},
	} {
		var text strings.Builder
		printFigures(plain.NewWriter(&text), &check.Results{Elections: tt.of})
		for _, want := range tt.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: no %q in\n%s", tt.what, want, text.String())
			}
		}
	}
}
