package measure

import (
	"cmp"
	"slices"

	"squall/history"
)

// joinFaults makes one run of the injection and the heal of each fault, by
// their common ID, in order of injection.
func joinFaults(in *history.History) []FaultRun {
	runs := []FaultRun{}
	byID := map[int]int{} // fault ID to index in runs
	for i := range in.Faults {
		f := &in.Faults[i]
		k, known := byID[f.ID]
		if !known {
			k = len(runs)
			byID[f.ID] = k
			runs = append(runs, FaultRun{
				ID: f.ID, Name: f.Name, Kind: f.Kind, Variant: f.Variant, Params: f.Params,
				Targets: f.Targets, Detail: f.Detail,
			})
		}
		r := &runs[k]
		began, verified := since(in, f.Begin), since(in, f.End)
		if f.Err != "" {
			verified = 0
			r.Err = appendSentence(r.Err, f.Err)
		}
		switch f.Phase {
		case history.Inject:
			r.Begin, r.Bitten = began, verified
			r.Verified, r.Aim = verified > 0, aimOf(in, f)
			r.Proof, r.Measured = append(r.Proof, f.Proof...), append(r.Measured, f.Measured...)
		case history.Heal:
			r.HealAt, r.Healed, r.Lapsed = began, verified, f.Lapsed
			r.HealProof, r.HealMeasured = append(r.HealProof, f.Proof...), append(r.HealMeasured, f.Measured...)
		}
	}
	slices.SortStableFunc(runs, func(a, b FaultRun) int { return cmp.Compare(a.Begin, b.Begin) })
	return runs
}

// aimOf is what a fault was aimed at; nil: at nothing.
func aimOf(in *history.History, f *history.Fault) *FaultAim {
	a := f.Aim
	if a == nil {
		return nil
	}
	r := &FaultAim{Moment: a.Moment, Missed: a.Missed(), Node: a.Node, Peer: a.Peer, Term: a.Term, Text: a.Text(f.Begin)}
	if !r.Missed {
		r.At, r.LateNs = since(in, a.Time), a.Late(f.Begin)
	}
	return r
}

// since turns a time of the machine into ns since the start of the test; 0,
// which means "never" in a FaultRun, stays 0.
func since(in *history.History, mono int64) int64 {
	if mono == 0 {
		return 0
	}
	return mono - in.Header.Mono
}

func appendSentence(old, more string) string {
	if old == "" {
		return more
	}
	return old + "; " + more
}
