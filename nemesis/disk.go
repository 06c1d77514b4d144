package nemesis

import (
	"context"
	"time"
)

// Disk is the disk of a node, where squall's own file system lies on it (NeedDisk).
type Disk interface {
	// CutDisk ends the server, does what a power cut does to the disk, and says what was lost. Nobody can use the
	// disk from then on: the machine must be switched off.
	CutDisk(ctx context.Context, cut DiskCut) (DiskLoss, error)
	// SetDisk makes the disk do these things wrong, in place of those before.
	SetDisk(ctx context.Context, rules []DiskRule) error
	// DiskState tells how the disk is.
	DiskState(ctx context.Context) (DiskState, error)
	// ProbeDisk writes, syncs and reads a file on it that no server sees.
	ProbeDisk(ctx context.Context) (DiskProbe, error)
	// DamageDisk changes a file of the server's, silently. RepairDisk puts back all that was
	// changed so, where nobody has written since.
	DamageDisk(ctx context.Context, d DiskDamage) (string, error)
	RepairDisk(ctx context.Context) error
}

// DiskCut is what a power cut is to leave.
type DiskCut struct {
	How  string // see LeaveSynced and so on
	Seed uint64
}

// What a power cut leaves of what is not synced.
const (
	LeaveSynced    = "synced"    // nothing
	LeavePrefix    = "prefix"    // of each file, and of the names, the oldest changes
	LeaveReordered = "reordered" // likewise, but a write is lost and a later one is not
	LeaveTorn512   = "torn-512"  // likewise, but a write is there in part, by sectors of 512 bytes
	LeaveTorn4096  = "torn-4096" // likewise, of 4096 bytes
	LeaveData      = "names"     // all data, and no names
)

// DiskLoss is what a cut took.
type DiskLoss struct {
	Files, Writes, Names int
	Bytes                int64
	Text                 string // for people
}

// DiskState is how a disk is.
type DiskState struct {
	Cut     bool // it has been cut, and serves nobody
	Hits    int  // how often rules in force took effect
	Damaged int  // places in files that were damaged, and not put back
	// Restored says, of the first life after a cut, how many names and files were found as
	// the cut had left them; Wrong, what was not. Known is false if there was no cut.
	Known    bool
	Restored int
	Wrong    string
}

// DiskRule is something that a disk does wrong.
type DiskRule struct {
	Effect string // slow, error, full, lies, read-only
	On     string // sync, write, read
	Delay  time.Duration
	Times  int // how often it takes effect; 0: always
}

// Effects and occasions of DiskRules.
const (
	DiskSlow, DiskError, DiskFull, DiskLies, DiskReadOnly = "slow", "error", "full", "lies", "read-only"
	DiskOnSync, DiskOnWrite, DiskOnRead                   = "sync", "write", "read"
)

// DiskDamage is silent damage to a file.
type DiskDamage struct {
	Kind  string // bit-flip, old-block
	Files string // pattern
	Seed  uint64
}

// DiskProbe is what a probe met: how long each call took, and the kernel's name of its error, "" for none.
type DiskProbe struct {
	Write, Sync, Read          time.Duration
	WriteErr, SyncErr, ReadErr string
}
