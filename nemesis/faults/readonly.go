package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// readOnly has disks take nothing any more, as a kernel does that has found them damaged.
func readOnly() nemesis.Fault {
	return misbehaving{
		name:     "read-only",
		doc:      "disks are read-only (EROFS); a server that ends over it is started again by the heal",
		variants: targets(),
		rules: func(declare.Args) []nemesis.DiskRule {
			return []nemesis.DiskRule{{Effect: nemesis.DiskReadOnly, On: nemesis.DiskOnWrite}}
		},
		felt:  func(_ declare.Args, p nemesis.DiskProbe) (string, bool) { return told(p), p.WriteErr == "EROFS" },
		hurts: true,
	}.fault()
}
