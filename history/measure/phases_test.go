package measure

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history"
)

// phase is what TestPhases looks at; durations in ms.
type phase struct {
	Candidate           string
	Detection, Election Millis
	Rounds, SplitVotes  int
	Terms               uint64
}

// lost has n1 lead term 1 and be killed at 10,000 ms, with the cluster's load
// all around it.
func lost() *script {
	return newScript().load(1000, 20000).leader(500, "n1", 1).fault(1, "kill", "leader", 10000, 14000, nil, "n1")
}

func TestPhases(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *script
		want phase
	}{
		{"one stood and won", lost().candidate(10200, "n2", 2).leader(10250, "n2", 2),
			phase{"n2", 200, 50, 1, 0, 1}},

		{"the pre-vote is the first sign", lost().follower(10180, "n3", 1, ReasonTimeout).follower(10185, "n2", 1, ReasonTimeout).
			candidate(10200, "n2", 2).follower(10201, "n3", 2, "vote granted").leader(10250, "n2", 2),
			phase{"n3", 180, 70, 1, 0, 1}},

		{"a pre-vote that another system calls a candidacy", lost().candidate(10150, "n2", 1).candidate(10200, "n2", 2).leader(10250, "n2", 2),
			phase{"n2", 150, 100, 1, 0, 1}},

		{"a follower that lost its leader otherwise is no candidate", lost().follower(10100, "n3", 1, "higher term").
			candidate(10200, "n2", 2).leader(10250, "n2", 2),
			phase{"n2", 200, 50, 1, 0, 1}},

		{"two split votes, then a winner", lost().candidate(10200, "n2", 2).candidate(10201, "n3", 2).
			candidate(10400, "n2", 3).candidate(10405, "n4", 3).candidate(10600, "n5", 4).leader(10620, "n5", 4),
			phase{"n2", 200, 420, 3, 2, 3}},

		{"a round that one node alone did not win is no split vote", lost().candidate(10200, "n2", 2).
			candidate(10400, "n3", 3).leader(10420, "n3", 3),
			phase{"n2", 200, 220, 2, 0, 2}},

		{"two stood, and one of them won", lost().candidate(10200, "n2", 2).candidate(10201, "n3", 2).leader(10250, "n3", 2),
			phase{"n2", 200, 50, 1, 0, 1}},

		{"terms that nobody is known to have stood for", lost().candidate(10200, "n2", 7).leader(10250, "n2", 7),
			phase{"n2", 200, 50, 1, 0, 6}},

		{"no word of a candidate", lost().leader(10250, "n2", 2), phase{Rounds: 1, Terms: 1}},

		{"nobody stood", lost(), phase{}},

		{"some stood, and none was elected", lost().candidate(10200, "n2", 2).candidate(10300, "n3", 2).candidate(10500, "n2", 3),
			phase{"n2", 200, 0, 2, 1, 2}},

		{"it stood already when the leader was killed", lost().candidate(9990, "n2", 2).leader(10020, "n2", 2),
			phase{"n2", 0, 20, 1, 0, 1}},

		{"it stood once, long before, and went back", lost().candidate(5000, "n4", 2).follower(5100, "n4", 2, "leader found").
			candidate(10200, "n2", 3).leader(10250, "n2", 3),
			phase{"n2", 200, 50, 1, 0, 2}},

		{"superseded by one that stood", newScript().load(1000, 20000).leader(500, "n1", 1).
			candidate(9000, "n2", 2).leader(9030, "n2", 2),
			phase{"n2", 0, 30, 1, 0, 1}},

		{"one that was cut off before stands and stands", lost().isolate(2, "n5", 8000, 15000).
			candidate(9000, "n5", 9).candidate(10050, "n5", 10).candidate(10200, "n2", 2).leader(10250, "n2", 2),
			phase{"n2", 200, 50, 1, 0, 1}},

		{"after the next leader nothing counts", lost().candidate(10200, "n2", 2).leader(10250, "n2", 2).candidate(10300, "n3", 3),
			phase{"n2", 200, 50, 1, 0, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			el := Summarize(tt.s.in).Elections
			if len(el.Losses) == 0 {
				t.Fatalf("no loss; leaderships %+v", el.Leaderships)
			}
			l := el.Losses[0]
			got := phase{l.Candidate, l.Detection, l.Election, l.Rounds, l.SplitVotes, l.Terms}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPhaseAggregates(t *testing.T) {
	s := lost().candidate(10200, "n2", 2).candidate(10210, "n3", 2).candidate(10400, "n2", 3).leader(10410, "n2", 3)
	s.fault(2, "kill", "leader", 15000, 0, nil, "n2").candidate(15100, "n4", 4).leader(15130, "n4", 4)
	s.fault(3, "kill", "leader", 18000, 0, nil, "n4").candidate(18900, "n5", 5) // none follows: no median
	el := Summarize(s.in).Elections
	if el.DetectionMedian != 150 || el.DetectionMax != 200 || el.ElectionMedian != 120 || el.ElectionMax != 210 || el.SplitVotes != 1 {
		t.Errorf("%+v", el)
	}
}

// by has the next operation be of a process.
func (s *script) by(process, call, ret int64, outcome history.Outcome) *script {
	s.op(call, ret, history.Write, outcome)
	s.in.Ops[len(s.in.Ops)-1].Process = process
	return s
}

// Three clients. The first goes on as process 3 after an info, and as 6 while
// an operation of 3 is still under way; the second has no gap to speak of; the
// third never succeeds again.
func TestFeltByClients(t *testing.T) {
	s := lost().candidate(10200, "n2", 2).leader(10250, "n2", 2)
	s.by(0, 9000, 9900, history.OK).by(1, 9000, 9950, history.OK).by(2, 9000, 9980, history.OK)
	s.by(0, 9990, 10100, history.Info).by(3, 10110, 12000, history.Info).by(6, 10160, 10300, history.OK)
	s.by(1, 10010, 10050, history.OK).by(1, 10060, 10250, history.OK).by(2, 10000, 15000, history.Info)
	l := Summarize(s.in).Elections.Losses[0]
	if want := (Felt{Count: 2, Median: 300, Max: 400}); l.Clients != want {
		t.Errorf("felt %+v, want %+v", l.Clients, want)
	}
}

func TestLineages(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *script
		want map[int64]int64
	}{
		{"nobody gave up", newScript().load(0, 100).by(0, 1, 2, history.OK).by(1, 1, 2, history.OK),
			map[int64]int64{0: 0, 1: 1}},
		{"one after another, but at leisure", newScript().load(0, 100).by(0, 1, 2, history.OK).by(1, 3, 4, history.OK),
			map[int64]int64{0: 0, 1: 1}},
		{"a client that gave up twice", newScript().load(0, 100).by(0, 1, 2, history.Info).by(1, 1, 9, history.OK).
			by(2, 3, 50, history.OK).by(4, 13, 20, history.OK).by(1, 30, 40, history.OK),
			map[int64]int64{0: 0, 1: 1, 2: 0, 4: 0}},
		{"one of many took over after the answer", func() *script {
			s := newScript().load(0, 1000)
			for p := range int64(12) { // of one client: eleven take over, one of them late
				end := 10*p + 15
				if p == 5 {
					end = 10*p + 6
				}
				s.by(p, 10*p+5, end, history.OK)
			}
			return s
		}(), map[int64]int64{0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0}},
		{"numbers of another kind", newScript().load(0, 100).by(7000, 1, 2, history.Info).by(9000, 3, 4, history.OK),
			map[int64]int64{7000: 7000, 9000: 9000}},
		{"negative numbers", newScript().load(0, 100).by(-1, 1, 2, history.Info).by(0, 3, 4, history.OK),
			map[int64]int64{-1: -1, 0: 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, newSamples(tt.s.in).processClients()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
