package serve

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"squall/history"
)

// TestTimesThatOverflow: the difference of two moments need not fit into one.
func TestTimesThatOverflow(t *testing.T) {
	for _, mono := range []int64{math.MinInt64, -9e18, 0, 9e18, math.MaxInt64} {
		for _, at := range []int64{math.MinInt64, -9e18, -1, 0, 9e18, math.MaxInt64} {
			feed(t, mono, at, at)
			feed(t, mono, at, mono)
		}
	}
	var s liveState
	s.init(0)
	s.begin(history.Header{Mono: -9e18})
	if n, ok := s.second(9e18); ok {
		t.Errorf("a moment of six hundred years later is second %d", n)
	}
	if got := s.seconds(9e18); math.Abs(got-1.8e10) > 1 {
		t.Errorf("it is %v s later, want 1.8e10", got)
	}
}

// feed gives a state one record of each kind and asks what it came to.
func feed(t *testing.T, mono, at, end int64) {
	t.Helper()
	var s liveState
	s.init(time.Minute)
	s.begin(history.Header{Mono: mono, Wall: time.Unix(at, 0)})
	from := int(at % maxSeconds) // then on, as a page asks: all of two days each time would take seconds
	for _, rec := range []history.Record{
		{Mark: &history.Mark{Name: history.MarkLoadBegin, Time: at}},
		{Op: &history.Op{Call: at, Return: end}},
		{Node: &history.NodeEvent{Time: at, Kind: history.EventRole, Role: history.RoleLeader, Node: "n1", Term: uint64(end)}},
		{Fault: &history.Fault{ID: int(at), Phase: history.Inject, Begin: at, End: end}},
		{Fault: &history.Fault{ID: int(at), Phase: history.Heal, Begin: end, End: at}},
		{Mark: &history.Mark{Name: history.MarkLoadEnd, Time: end}},
	} {
		s.take(rec)
		m, next := s.message(time.Unix(end, 0), from)
		if _, err := json.Marshal(m); err != nil || next > maxSeconds {
			t.Fatalf("mono %d, records at %d and %d: next %d, %v", mono, at, end, next, err)
		}
		from = next
	}
}

func FuzzLiveState(f *testing.F) {
	f.Add(int64(-9e18), int64(9e18), int64(9e18))
	f.Add(int64(0), int64(1e9), int64(2e9))
	f.Add(int64(-10), int64(999999952), int64(2000000026))
	f.Fuzz(func(t *testing.T, mono, at, end int64) { feed(t, mono, at, end) })
}

// TestAPanicIsOneRuns: it ends the watching of its run, and nothing else.
func TestAPanicIsOneRuns(t *testing.T) {
	w := &watch{} // without a server: looking at the run panics
	if w.step(nil) {
		t.Error("there is more to read of a broken run")
	}
	if m, _ := w.now(0); m.Trouble == "" || !w.broken {
		t.Errorf("the run is not shown as damaged: %+v", m)
	}
}
