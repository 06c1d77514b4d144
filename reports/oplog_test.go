package reports

import (
	"fmt"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// Of too many operations those that matter stay, and the number is bounded.
func TestChoose(t *testing.T) {
	in := &history.History{}
	for i := range 100_000 {
		op := history.Op{Process: int64(i % 10), Func: history.Read, Outcome: history.OK, Call: int64(i) * 1e6, Return: int64(i)*1e6 + 5e5}
		if i%1000 == 0 {
			op.Outcome = history.Info
		}
		in.Ops = append(in.Ops, op)
	}
	matter := []measure.Window{{Begin: 40e9, End: 41e9}}
	picked, one := choose(in, matter, 10_000)
	if len(picked) > 10_500 || len(picked) < 5_000 || one < 2 {
		t.Errorf("%d operations, one in %d of the rest", len(picked), one)
	}
	others, near := 0, 0
	for _, i := range picked {
		op := in.Ops[i]
		if op.Outcome == history.Info {
			others++
		}
		if op.Call >= 40e9 && op.Call < 41e9 {
			near++
		}
	}
	if others != 100 || near != 1000 {
		t.Errorf("%d of 100 unknown outcomes and %d of 1000 operations that matter are there", others, near)
	}
	if all, one := choose(in, matter, 200_000); len(all) != len(in.Ops) || one != 1 {
		t.Errorf("of all %d, one in %d", len(all), one)
	}
	for i := range in.Ops {
		in.Ops[i].Outcome = history.Fail
	}
	if picked, _ := choose(in, matter, 10_000); len(picked) > 10_000 {
		t.Errorf("%d operations that failed", len(picked))
	}
}

// Operations in one row are never at the same time, and a process that takes the
// place of another takes its row.
func TestLanes(t *testing.T) {
	in := smallStorm()
	log, err := pack(in, nil, nil, maxOps)
	if err != nil {
		t.Fatal(err)
	}
	if log.Shown != len(in.Ops) || log.Lanes < 3 || log.Lanes > 30 {
		t.Errorf("%d operations in %d rows", log.Shown, log.Lanes)
	}
	picked, _ := choose(in, nil, maxOps)
	rows, free := newLanes(in, picked), map[int]int64{}
	for _, i := range picked {
		row := rows.of[in.Ops[i].Process]
		if in.Ops[i].Call < free[row] {
			t.Fatalf("row %d holds two operations at %d", row, in.Ops[i].Call)
		}
		free[row] = in.Ops[i].Return
	}
}

// The rows of a client stand together, those of final operations last; and an operation
// on the key of a finding says so.
func TestClientsHaveTheirRowsTogether(t *testing.T) {
	const ms = int64(1e6)
	op := func(process int64, from, to int64, key string, out history.Outcome) history.Op {
		return history.Op{Process: process, Key: key, Func: history.Read, Outcome: out, Call: from * ms, Return: to * ms}
	}
	in := &history.History{Ops: []history.Op{
		op(0, 1, 9, "a", history.OK), op(1, 1, 20, "a", history.Info), op(0, 10, 40, "b", history.Info),
		op(3, 12, 18, "a", history.OK), op(2, 15, 30, "b", history.Info), op(4, 41, 42, "a", history.OK), op(9, 50, 51, "a", history.OK)}}
	in.Ops[6].Final = true
	picked, _ := choose(in, nil, maxOps)
	rows := newLanes(in, picked)
	if got, want := fmt.Sprint(rows.clients), "[0 0 1 1 -1]"; got != want {
		t.Errorf("rows of the clients %s, want %s", got, want)
	}
	if rows.of[0] == rows.of[2] || rows.of[1] == rows.of[3] {
		t.Errorf("rows %v", rows.of)
	}
	f := sought{key: "a", witness: map[called]bool{{2, 15 * ms}: true}}
	held := 0
	for i := range in.Ops {
		if f.holds(&in.Ops[i], 0) {
			held++
		}
	}
	if held != 6 {
		t.Errorf("%d operations belong to the finding", held)
	}
}

// A leader that is cut off takes itself for the leader until it says otherwise.
func TestStaleLeaders(t *testing.T) {
	in := &history.History{Header: history.Header{Mono: 100}, Nodes: []history.NodeEvent{
		{Node: "n1", Kind: history.EventRole, Role: history.RoleLeader, Term: 1, Time: 110},
		{Node: "n2", Kind: history.EventRole, Role: history.RoleLeader, Term: 2, Time: 150},
		{Node: "n1", Kind: history.EventRole, Role: history.RoleFollower, Term: 2, Time: 190}}}
	stale := staleOf(in, []measure.Leadership{{Node: "n1", Term: 1, Begin: 10, End: 30}, {Node: "n2", Term: 2, Begin: 50}, {Node: "n3", Term: 1, Begin: 1, End: 2}, {Node: "n1", Term: 1, Begin: 10, End: 90}})
	want := []measure.Leadership{{Node: "n1", Term: 1, Begin: 30, End: 90}, {Node: "n3", Term: 1, Begin: 2}}
	if fmt.Sprint(stale) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", stale, want)
	}
	witness := []check.WitnessOp{{Process: 1021, Node: "n1", Outcome: "ok", Call: 40, Return: 60}}
	tl := newTimeline(witness, processName, &figures{stale: stale[:1]})
	if len(tl.Leaders) != 2 || tl.Leaders[1].Name != "n1, stale leader" || len(tl.Leaders[1].Bars) != 1 {
		t.Errorf("lanes of leaders: %+v", tl.Leaders)
	}
	for _, name := range []string{tl.Lanes[0].Name, tl.Leaders[1].Name} {
		if room := float64(tl.Left - 12); float64(len([]rune(name)))*tlLetter > room {
			t.Errorf("%q is cut: it has %.0f", name, room)
		}
	}
}
