package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// fsyncLies has disks say that something is durable that is not. It shows once power is cut.
func fsyncLies() nemesis.Fault {
	return misbehaving{
		name:     "fsync-lies",
		doc:      "disks say that they have synced, and have not: what they claimed is lost by the next lose-unsynced, and no system can help it",
		variants: harmless(),
		rules: func(declare.Args) []nemesis.DiskRule {
			return []nemesis.DiskRule{{Effect: nemesis.DiskLies, On: nemesis.DiskOnSync}}
		},
		// What it does is seen in the disk's own count alone.
		felt: func(_ declare.Args, p nemesis.DiskProbe) (string, bool) {
			return told(p) + ", of which the sync did nothing", p.SyncErr == ""
		},
	}.fault()
}
