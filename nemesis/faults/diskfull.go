package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// diskFull leaves no room on disks.
func diskFull() nemesis.Fault {
	return misbehaving{
		name:     "disk-full",
		doc:      "disks have no room left (ENOSPC); a server that ends over it is started again by the heal",
		variants: targets(),
		rules: func(declare.Args) []nemesis.DiskRule {
			return []nemesis.DiskRule{{Effect: nemesis.DiskFull, On: nemesis.DiskOnWrite}}
		},
		felt:  func(_ declare.Args, p nemesis.DiskProbe) (string, bool) { return told(p), p.WriteErr == "ENOSPC" },
		hurts: true,
	}.fault()
}
