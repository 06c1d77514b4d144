package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// diskSlow has every sync take longer, or every write as well.
func diskSlow() nemesis.Fault {
	return misbehaving{
		name: "disk-slow",
		doc:  "disks take long to sync, or to write",
		params: []declare.Param{
			{Name: "delay", Kind: declare.Duration, Default: "50ms", Draw: []string{"20ms", "50ms", "200ms"}, Min: "1ms", Max: "10s", Doc: "how much longer it takes"},
			{Name: "on", Kind: declare.Word, Default: nemesis.DiskOnSync, Draw: []string{nemesis.DiskOnSync, nemesis.DiskOnSync, nemesis.DiskOnWrite}, Words: []string{nemesis.DiskOnSync, nemesis.DiskOnWrite, nemesis.DiskOnRead},
				Doc: "what takes longer: sync, write, or read"},
		},
		variants: harmless(),
		rules: func(a declare.Args) []nemesis.DiskRule {
			return []nemesis.DiskRule{{Effect: nemesis.DiskSlow, On: a["on"], Delay: a.Duration("delay")}}
		},
		felt: func(a declare.Args, p nemesis.DiskProbe) (string, bool) {
			took := map[string]bool{nemesis.DiskOnSync: p.Sync >= a.Duration("delay"), nemesis.DiskOnWrite: p.Write >= a.Duration("delay"), nemesis.DiskOnRead: p.Read >= a.Duration("delay")}
			return told(p), took[a["on"]]
		},
	}.fault()
}
