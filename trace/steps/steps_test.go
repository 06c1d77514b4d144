package steps

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// every has an event of every kind, and a message of every type. The main module, whose
// reader is the contract's, reads the same bytes (history/trace).
func every() []Event {
	at := Mark{7, 2}
	list := []Event{
		{Kind: Start, Term: 1, Node: 3, Vote: 2, Base: Mark{4, 1}, Runs: []Run{{5, 2, 1}}, Mark: Mark{4, 1}, Members: []Node{1, 2, 3},
			Lacks: LacksKind(Config) | LacksNumbers | LacksBegunConfigs},
		{Kind: RoleChange, Term: 2, Role: Candidate, Mark: Mark{6, 1}, Reason: "election timeout"},
		{Kind: Grant, Term: 2, Peer: 3, Mark: Mark{6, 1}},
		{Kind: Tally, Term: 2, Peer: 1, Pre: true, Reject: true},
		{Kind: Append, Term: 2, Runs: []Run{{7, 3, 1}, {10, 1, 2}, {300, 5, 2}}},
		{Kind: Truncate, Term: 2, Mark: at},
		{Kind: Compact, Term: 2, Mark: at},
		{Kind: Persist, Term: 2, Vote: 3, Mark: at},
		{Kind: Commit, Term: 2, Mark: at, Hash: 0xabc},
		{Kind: Apply, Term: 2, Mark: at},
		{Kind: State, Term: 2, Mark: at, Hash: 1 << 63},
		{Kind: ReadCame, Term: 2, First: 1, Last: 4},
		{Kind: RoundBegun, Term: 2, First: 1, Last: 4, Round: 9, Mark: at},
		{Kind: RoundDone, Term: 2, Round: 9},
		{Kind: ReadServed, Term: 2, First: 1, Last: 4, Mark: at, Reason: "lease"},
		{Kind: Snapshot, Term: 2, Reason: "taken", Peer: 1, Mark: at, Members: []Node{1, 2}},
		{Kind: Transfer, Term: 2, Peer: 1},
		{Kind: Config, Term: 2, Mark: at, Members: []Node{1, 2}, Old: []Node{1, 2, 3}},
		{Kind: Failed, Term: 2, Reason: "the disk is full"},
		{Kind: Progress, Term: 2, Peer: 3, Match: 300, Next: 301},
		{Kind: Timeout, Term: 2, Steps: 400},
	}
	for t := PreVote; t <= Other; t++ {
		m := &Message{Type: t, Number: uint64(t), Other: 1, Term: 2, Mark: at, Runs: []Run{{8, 2, 2}}, Commit: 5, Round: 6, Reject: true,
			Hint: Mark{3, 1}, Offset: 100, Size: 50, Done: true}
		list = append(list, Event{Kind: Send + Kind(t%2), Term: 2, Message: m})
	}
	return list
}

func TestEveryKind(t *testing.T) {
	got := []byte(magic)
	for i, e := range every() {
		got = appendFrame(got, &e, int64(i)*100)
	}
	const golden = "testdata/every.trace"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the bytes are not those of %s:\n%x\n%x", golden, got, want)
	}
}

// TestWrite: what is written begins with the magic line, once, and goes on frame by frame.
func TestWrite(t *testing.T) {
	var out bytes.Buffer
	tracer, err := New(&out)
	if err != nil {
		t.Fatal(err)
	}
	tracer.Write(Event{Kind: Start, Node: 1})
	tracer.Write(Event{Kind: Grant, Term: 1, Peer: 1}, Event{Kind: Persist, Term: 1, Vote: 1})
	rest, ok := bytes.CutPrefix(out.Bytes(), []byte(magic))
	var kinds []Kind
	for len(rest) > 0 {
		kinds = append(kinds, Kind(rest[1]))
		rest = rest[1+rest[0]:]
	}
	if !ok || tracer.Err() != nil || len(kinds) != 3 || kinds[0] != Start || kinds[1] != Grant || kinds[2] != Persist {
		t.Errorf("%v, %v, %v", ok, kinds, tracer.Err())
	}
}

func TestWithoutSquall(t *testing.T) {
	t.Setenv(FDVar, "")
	tracer, err := Open()
	if tracer != nil || err != nil {
		t.Fatalf("%v, %v", tracer, err)
	}
	tracer.Write(Event{Kind: Start})
	if tracer.Err() != nil {
		t.Error(tracer.Err())
	}
	t.Setenv(FDVar, "two")
	if _, err := Open(); err == nil {
		t.Error("a descriptor that is none is taken")
	}
}
