package situations_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"squall/history/situations"
	"squall/history/trace"
)

func events(t *testing.T, text string) []trace.Event {
	t.Helper()
	list, err := trace.ReadText(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestMoments: the first and the last time are told, with the event and the nodes, and
// each occurrence is handed out when it shows.
func TestMoments(t *testing.T) {
	list := events(t, `
		@1.0 n1 start members=n1,n2,n3
		@1.0 n2 start members=n1,n2,n3
		@2.0 n1 append term=1 runs=1-3/1
		@2.1 n2 append term=1 runs=1-3/1
		@3.0 n2 truncate term=2 mark=2/1
		@4.0 n1 truncate term=2 mark=2/1
		@5.0 n1 append term=2 runs=3-4/2
		@6.0 n1#2 start term=2 runs=1-2/1 members=n1,n2,n3
	`)
	tracker := situations.New()
	var found []string
	tracker.Found = func(o situations.Occurrence) {
		found = append(found, situations.All()[o.Situation].Name)
	}
	for i := range list {
		tracker.Observe(&list[i])
	}
	// The entries 3 and 4 of term 2 that n1 had in memory only are gone with it.
	want := "log-truncated log-truncated entry-lost crash-before-persist restart-with-uncommitted entry-lost"
	if got := strings.Join(found, " "); got != want {
		t.Errorf("found %s\nwant  %s", got, want)
	}
	got := count(list, "log-truncated")
	first := situations.Moment{Time: 3e9, Event: 5, Nodes: []trace.NodeID{2}}
	last := situations.Moment{Time: 4e9, Event: 6, Nodes: []trace.NodeID{1}}
	if got.N != 2 || !reflect.DeepEqual(got.First, first) || !reflect.DeepEqual(got.Last, last) {
		t.Errorf("%+v", got)
	}
	// A crash is where the boot's last event is, and shows with the next start.
	if got := count(list, "crash-before-persist").First; got.Time != 5e9 || got.Event != 8 {
		t.Errorf("the crash is told at %d ns, with event %d", got.Time, got.Event)
	}
	if tracker.Events() != int64(len(list)) {
		t.Errorf("%d events, want %d", tracker.Events(), len(list))
	}
}

// TestSilent: of a node whose trace broke off nothing is concluded from how it ended.
func TestSilent(t *testing.T) {
	text := `
		@1.0 n1 start members=n1,n2,n3
		@2.0 n1 append term=1 runs=1-3/1
		@3.0 n1#2 start term=1 runs=1-2/1 members=n1,n2,n3`
	if got := count(events(t, text), "crash-before-persist").N; got != 1 {
		t.Fatalf("a crash is found %d times without silence", got)
	}
	list := events(t, strings.Replace(text, "@3.0", "@2.5 n1 silent reason=damaged\n@3.0", 1))
	tracker := situations.New()
	for i := range list {
		tracker.Observe(&list[i])
	}
	for _, c := range tracker.Counts() {
		if c.Name == "crash-before-persist" && c.N != 0 {
			t.Error("a crash is concluded from a trace that broke off")
		}
	}
	if got := tracker.Silent(); !reflect.DeepEqual(got, []trace.NodeID{1}) {
		t.Errorf("silent are %v, want n1", got)
	}
}

// TestSilentFromTheStart: a trace of which nothing could be read is of no boot, and yet
// makes its node silent.
func TestSilentFromTheStart(t *testing.T) {
	tracker := situations.New()
	tracker.Observe(&trace.Event{Kind: trace.Silent, Node: 2, Reason: "the trace is damaged"})
	if got := tracker.Silent(); !reflect.DeepEqual(got, []trace.NodeID{2}) {
		t.Errorf("silent are %v, want n2", got)
	}
}

// TestStored: what a server had stored and does not tell is not made up.
func TestStored(t *testing.T) {
	list := events(t, "n1 start lacks=stored members=n1,n2,n3\nn1 append term=1 runs=1-3/1\nn1#2 start term=1 lacks=stored members=n1,n2,n3")
	got := count(list, "crash-before-persist")
	if got.N != 0 || got.Hidden != "the trace lacks what was stored at a start" {
		t.Errorf("%d times, %q", got.N, got.Hidden)
	}
}

// TestAnything: whatever the events say, following them ends, and no event is kept.
func TestAnything(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 7))
	tracker := situations.New()
	for range 200_000 {
		e := anyEvent(rng)
		tracker.Observe(&e)
		clear(e.Runs) // it is the caller's again
		clear(e.Members)
	}
	reached := 0
	for _, c := range tracker.Counts() {
		if c.N > 0 {
			reached++
		}
	}
	if reached < 25 { // some take a history that random events hardly make
		t.Errorf("random events reach %d situations: they are not random enough to try much", reached)
	}
	if !tracker.Crowded() {
		t.Error("there were 70 nodes, and it does not say so")
	}
}

func anyEvent(rng *rand.Rand) trace.Event {
	number := func() uint64 {
		if rng.IntN(200) == 0 {
			return math.MaxUint64 - rng.Uint64N(3)
		}
		return rng.Uint64N(12)
	}
	who := func() trace.NodeID {
		if rng.IntN(100) == 0 {
			return trace.NodeID(rng.Uint64N(70))
		}
		return trace.NodeID(1 + rng.Uint64N(4))
	}
	mark := func() trace.Mark { return trace.Mark{Index: number(), Term: number()} }
	runs := func() (list []trace.Run) {
		for range rng.IntN(3) {
			list = append(list, trace.Run{First: number(), Count: number(), Term: number()})
		}
		return list
	}
	kinds := trace.Kinds()
	reasons := []string{"installed", "receiving", "taken", ""}
	e := trace.Event{
		Kind: kinds[rng.IntN(len(kinds))], Node: who(), Boot: 1 + rng.IntN(3), Time: rng.Int64N(1e9), Term: number(),
		Peer: who(), Role: trace.Role(rng.IntN(5)), Vote: who(), Mark: mark(), Base: mark(), Runs: runs(), Round: number(),
		First: number(), Last: number(), Members: []trace.NodeID{who(), who(), who()}, Reason: reasons[rng.IntN(len(reasons))],
		Reject: rng.IntN(2) == 0,
	}
	if rng.IntN(8) > 0 {
		e.Message = &trace.Message{Type: trace.MessageType(rng.IntN(13)), Number: number(), From: who(), To: who(), Term: number(),
			Mark: mark(), Runs: runs(), Commit: number(), Reject: rng.IntN(2) == 0, Offset: number()}
	}
	return e
}

func TestChao1(t *testing.T) {
	for _, c := range []struct {
		counts []int
		want   float64
	}{
		{[]int{5, 9, 3}, 3},                    // nothing was seen once only
		{[]int{0, 0, 0}, 0},                    // nothing was seen
		{[]int{1, 1, 1, 2, 7, 0, 0, 0}, 6.5},   // 5 + 3·2/(2·2)
		{[]int{1, 1, 1, 1, 0, 0, 0, 0, 0}, 9},  // 4 + 4·3/2 = 10, of 9 that there are
		{[]int{1, 2, 2, 4, 0, 0, 0, 0, 0}, 4},  // one singleton alone adds nothing
		{[]int{1, 1, 2, 2, 2, 0}, 5 + 2.0/8.0}, // 2·1/(2·4)
	} {
		if got := situations.Chao1(c.counts); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("Chao1(%v) = %v, want %v", c.counts, got, c.want)
		}
	}
}

// BenchmarkTracker follows the steps of three nodes that replicate one entry after the other.
func BenchmarkTracker(b *testing.B) {
	list := replicating(10_000)
	tracker := situations.New()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tracker.Observe(&list[i%len(list)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// replicating is about n events of the kinds and shares that a leader under load and two
// followers write.
func replicating(n int) []trace.Event {
	members := []trace.NodeID{1, 2, 3}
	list := []trace.Event{{Kind: trace.RoleChange, Node: 1, Boot: 1, Term: 1, Role: trace.Leader, Peer: 1}}
	for _, id := range members {
		list = append([]trace.Event{{Kind: trace.Start, Node: id, Boot: 1, Members: members}}, list...)
	}
	number := map[trace.NodeID]uint64{}
	message := func(m trace.Message) {
		number[m.From]++
		m.Number, m.Term = number[m.From], 1
		list = append(list, trace.Event{Kind: trace.Send, Node: m.From, Boot: 1, Term: 1, Message: &m},
			trace.Event{Kind: trace.Receive, Node: m.To, Boot: 1, Term: 1, Message: &m})
	}
	step := func(kind trace.Kind, id trace.NodeID, i uint64) {
		list = append(list, trace.Event{Kind: kind, Node: id, Boot: 1, Term: 1, Mark: trace.Mark{Index: i, Term: 1},
			Runs: []trace.Run{{First: i, Count: 1, Term: 1}}})
	}
	for i := uint64(1); len(list) < n; i++ {
		runs := []trace.Run{{First: i, Count: 1, Term: 1}}
		step(trace.Append, 1, i)
		for _, id := range members[1:] {
			message(trace.Message{Type: trace.AppendEntries, From: 1, To: id, Mark: trace.Mark{Index: i - 1, Term: 1}, Runs: runs})
			step(trace.Append, id, i)
			step(trace.Persist, id, i)
			message(trace.Message{Type: trace.AppendReply, From: id, To: 1, Mark: trace.Mark{Index: i}})
		}
		step(trace.Persist, 1, i)
		for _, id := range members {
			step(trace.Commit, id, i)
			step(trace.Apply, id, i)
		}
	}
	return list
}
