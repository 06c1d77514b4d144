package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// syncOnce is a sync that fails, after which others claim to succeed, and nothing is durable: what kernels have done that
// drop the pages of a failed sync, and take them for clean.
const syncOnce = "sync-once"

// diskError has what servers ask of their disks fail with EIO.
func diskError() nemesis.Fault {
	return misbehaving{
		name: "disk-error",
		doc:  "disks fail to sync, to write or to read (EIO); a server that ends over it is started again by the heal",
		params: []declare.Param{
			{Name: "on", Kind: declare.Word, Default: nemesis.DiskOnSync, Draw: []string{nemesis.DiskOnSync, nemesis.DiskOnWrite}, Words: []string{nemesis.DiskOnSync, syncOnce, nemesis.DiskOnWrite, nemesis.DiskOnRead},
				Doc: "what fails: sync; sync-once: one sync, and those after it succeed and make nothing durable; write; or read"},
		},
		variants: targets(),
		rules: func(a declare.Args) []nemesis.DiskRule {
			return []nemesis.DiskRule{{Effect: nemesis.DiskError, On: failing(a)}}
		},
		then: func(a declare.Args) []nemesis.DiskRule {
			if a["on"] != syncOnce {
				return nil
			}
			return []nemesis.DiskRule{{Effect: nemesis.DiskError, On: nemesis.DiskOnSync, Times: 1}, {Effect: nemesis.DiskLies, On: nemesis.DiskOnSync}}
		},
		felt: func(a declare.Args, p nemesis.DiskProbe) (string, bool) {
			why := map[string]string{nemesis.DiskOnSync: p.SyncErr, nemesis.DiskOnWrite: p.WriteErr, nemesis.DiskOnRead: p.ReadErr}
			return told(p), why[failing(a)] == "EIO"
		},
		hurts: true,
	}.fault()
}

// failing is what requests fail.
func failing(a declare.Args) string {
	if a["on"] == syncOnce {
		return nemesis.DiskOnSync
	}
	return a["on"]
}
