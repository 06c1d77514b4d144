package main

import (
	"cmp"
	"context"
	"io"

	"squall/internal/plain"
	"squall/nodeimage/disk"
	"squall/orchestrator/crash"
	"squall/orchestrator/machines"
)

// Values of --names.
const namesStrict, namesJournaled = "strict", "journaled"

// readNames says which names of a storm's disks survive.
func readNames(storm *crash.Storm, flags *crashFlags) {
	if flags.names != namesJournaled {
		return
	}
	for i := range storm.Disks {
		storm.Disks[i].Names = disk.Journaled
	}
}

// namesFlag is what a command needs for the same reading of names.
func namesFlag(o *crash.Outcome) string {
	if o.Record.Head.Journaled {
		return " --names " + namesJournaled
	}
	return ""
}

// secondCut reports whether the second power cut of a state can take what is not synced, and says so if not.
func secondCut(ctx context.Context, r machines.Runtime, flags *crashFlags, human io.Writer) bool {
	switch {
	case flags.once:
		return false
	case flags.names == namesJournaled: // squall's file system reads them strictly
		plain.Fprintf(human, "at the second start servers were killed, and lost nothing, for --names is journaled\n")
		return false
	}
	can := r.Can(ctx)
	if why := cmp.Or(can[machines.CanDisk], can[machines.CanRestart]); why != "" {
		plain.Fprintf(human, "at the second start servers were killed, and lost nothing: %s\n", why)
		return false
	}
	return true
}
