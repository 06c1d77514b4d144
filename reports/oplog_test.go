package reports

import (
	"testing"

	"squall/history"
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
	log, err := pack(in, nil, maxOps)
	if err != nil {
		t.Fatal(err)
	}
	if log.Shown != len(in.Ops) || log.Lanes < 3 || log.Lanes > 30 {
		t.Errorf("%d operations in %d rows", log.Shown, log.Lanes)
	}
	picked, _ := choose(in, nil, maxOps)
	rows, free := newLanes(in, picked), map[int]int64{}
	for _, i := range picked {
		row := rows.row(&in.Ops[i])
		if in.Ops[i].Call < free[row] {
			t.Fatalf("row %d holds two operations at %d", row, in.Ops[i].Call)
		}
		free[row] = in.Ops[i].Return
	}
}
