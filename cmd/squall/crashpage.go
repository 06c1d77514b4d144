package main

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"squall/history/check"
	"squall/nodeimage/disk"
	"squall/orchestrator/crash"
	"squall/reports"
)

// writeCrashPage writes what a farm covered, in this call and before, into the run directory.
func writeCrashPage(dir, program string, storm *crash.Storm, o *crash.Outcome) error {
	c := &reports.CrashStates{Run: filepath.Base(dir), Squall: version, Verdict: o.Verdict, Reason: o.Reason, Distinct: o.Cover.Distinct, Worth: o.Cover.Worth,
		Took: time.Duration(o.Cover.Seconds * float64(time.Second)), Nodes: storm.History.Header.Nodes, Command: program + " crash " + dir}
	if o.Folder != "" {
		c.Command += " --state " + filepath.Base(o.Folder)
		c.Folder = cmp.Or(relative(dir, o.Folder), o.Folder)
	}
	c.Command += namesFlag(o)
	for _, why := range crash.Whys() {
		c.Kinds = append(c.Kinds, reports.CrashKind{Name: string(why), Text: why.Text()})
	}
	in := check.Input{History: storm.History}
	for _, r := range o.Record.Results {
		if o.Worst != nil && r.ID == filepath.Base(o.Folder) {
			r = *o.Worst // as small as it was made
		}
		c.States = append(c.States, crashStateOf(&r, in.Since(r.At)))
	}
	c.Losses = crashLosses(o.Record.Results, c.Nodes)
	return reports.WriteCrash(dir, c)
}

func crashStateOf(r *crash.Result, at float64) reports.CrashState {
	s := reports.CrashState{ID: r.ID, At: at, Kind: string(r.Why), Verdict: r.Verdict, Check: r.Check, Text: r.Text, Again: r.Again, Refused: r.Refused}
	for _, node := range slices.Sorted(maps.Keys(r.Lost)) {
		s.Lost = append(s.Lost, reports.CrashLost{Node: node, Text: r.Lost[node].String()})
	}
	return s
}

// crashLosses counts the disks of each node by what they had lost.
func crashLosses(results []crash.Result, nodes []string) (list []reports.CrashLoss) {
	for _, how := range disk.Hows() {
		one := reports.CrashLoss{Name: string(how), Text: how.Text(), Disks: make([]int, len(nodes))}
		for i := range results {
			for n, node := range nodes {
				if results[i].Kinds[node] == how {
					one.Disks[n]++
				}
			}
		}
		if slices.Max(one.Disks) > 0 {
			list = append(list, one)
		}
	}
	return list
}

// relative is a path from a directory; "" if there is none.
func relative(dir, path string) string {
	short, err := filepath.Rel(dir, path)
	if err != nil {
		return ""
	}
	return short
}
