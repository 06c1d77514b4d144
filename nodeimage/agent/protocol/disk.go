package protocol

import "time"

// Methods of the file system of ours that may be mounted on the data directory of a
// machine (package agent/disk). Where it is not, they fail.
const (
	MethodDiskStatus  = "disk-status"  // → DiskStatus
	MethodDiskRules   = "disk-rules"   // DiskRules
	MethodDiskCut     = "disk-cut"     // DiskCut → DiskLoss
	MethodDiskDamage  = "disk-damage"  // DiskDamage → DiskDamaged
	MethodDiskProbe   = "disk-probe"   // → DiskProbe
	MethodDiskJournal = "disk-journal" // DiskJournal → DiskJournalPart
	MethodDiskSettle  = "disk-settle"  // what is written is durable from now on
)

// DiskStatus tells how the file system is.
type DiskStatus struct {
	Life   int    `json:"life"`             // how often it was mounted on this disk
	Broken string `json:"broken,omitempty"` // why it cannot tell any more what is synced; "" if it can
	// Syncs, Writes and Reads are how many of the servers' requests it has taken.
	Syncs  uint64 `json:"syncs"`
	Writes uint64 `json:"writes"`
	Reads  uint64 `json:"reads"`
	// PendingWrites and PendingNames are what is written and not synced.
	PendingWrites int   `json:"pendingWrites"`
	PendingNames  int   `json:"pendingNames"`
	Memory        int64 `json:"memory"`            // that it holds for what is pending, bytes
	WrittenBack   int   `json:"writtenBack"`       // how often it made something durable for want of memory
	Hits          []int `json:"hits,omitempty"`    // how often each rule in force took effect
	Damaged       int   `json:"damaged,omitempty"` // places in files that were damaged, and not put back
	Frozen        bool  `json:"frozen,omitempty"`  // a cut was made: nothing is answered any more
	// Restored is how the disk was found when it was mounted, if a cut had been made before.
	Restored *DiskRestored `json:"restored,omitempty"`
	// Journal is how long the journal of this life is, bytes; 0: none is written. Full: it has
	// reached its bound and tells no more.
	Journal     int64 `json:"journal,omitempty"`
	JournalFull bool  `json:"journalFull,omitempty"`
}

// DiskRestored is what was found after a cut.
type DiskRestored struct {
	Names int    `json:"names"`           // that are there and had to be, and no others
	Files int    `json:"files"`           // whose bytes were compared: those that had lost something
	Wrong string `json:"wrong,omitempty"` // what is not as the cut has left it; "": nothing
}

// DiskJournal asks for a part of a journal.
type DiskJournal struct {
	Life   int   `json:"life"`   // from 1
	Offset int64 `json:"offset"` // bytes
}

// DiskJournalPart is bytes of a journal from an offset on, none at its end. A later life's may follow.
type DiskJournalPart struct {
	Data []byte `json:"data"`
}

// MaxDiskJournalPart is how many bytes a DiskJournalPart has at most.
const MaxDiskJournalPart = 256 << 10

// What a rule does to requests.
const (
	DiskSlow     = "slow"      // they take longer, by Delay
	DiskError    = "error"     // they fail with EIO and are not carried out
	DiskFull     = "full"      // what needs room fails with ENOSPC
	DiskLies     = "lies"      // a sync succeeds, and makes nothing durable
	DiskReadOnly = "read-only" // what changes something fails with EROFS
)

// What requests a rule is for.
const (
	DiskOnSync  = "sync"
	DiskOnWrite = "write" // of bytes; with Full and ReadOnly also what changes names
	DiskOnRead  = "read"
)

// DiskRule is something that the disk does wrong.
type DiskRule struct {
	Effect string        `json:"effect"`
	On     string        `json:"on"`
	Delay  time.Duration `json:"delay,omitempty"`
	// Files is a pattern for names of files, as of path.Match; it must match the path in the
	// data directory or its last part. "": every file.
	Files string `json:"files,omitempty"`
	Times int    `json:"times,omitempty"` // how often it takes effect; 0: always
}

// DiskRules are all rules in force; those from before are gone.
type DiskRules struct {
	Rules []DiskRule `json:"rules"`
}

// DiskCut asks for what a power cut does to the disk: from now on no request of a server is answered, and
// of what is not synced only that stays which How keeps. The machine is to be killed then.
type DiskCut struct {
	How  string `json:"how"` // as of package nodeimage/disk: synced, prefix, reordered, torn-512, torn-4096, names, all
	Seed uint64 `json:"seed"`
}

// DiskLoss is what was lost.
type DiskLoss struct {
	How    string `json:"how"` // prefix where it was to be another and nothing pending can be that
	Files  int    `json:"files"`
	Writes int    `json:"writes"`
	Bytes  int64  `json:"bytes"`
	Names  int    `json:"names"`
	Text   string `json:"text"` // for people
}

// Kinds of damage.
const (
	DiskBitFlip  = "bit-flip"  // one bit of a file is another
	DiskOldBlock = "old-block" // a block of a file is as it was before it was written the last time, or at all
	DiskRepair   = "repair"    // nothing new: what was damaged is put back, where nobody has written since
)

// DiskDamage asks for silent damage to a file.
type DiskDamage struct {
	Kind  string `json:"kind"`
	Files string `json:"files,omitempty"` // as of DiskRule
	Seed  uint64 `json:"seed"`
}

// DiskDamaged is what was damaged.
type DiskDamaged struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // bytes
	Length int64  `json:"length"` // bytes that may differ
	// Was and Is are of a bit-flip the byte before and after, in hexadecimal. Of an old block
	// Is tells what it is, for people: DiskAsBefore or DiskZeros.
	Was string `json:"was"`
	Is  string `json:"is"`
}

// What an old block is.
const (
	DiskAsBefore = "as before the last write" // to the block, which seems to be lost
	DiskZeros    = "zeros"                    // as before the first
)

// DiskProbe is what a file of the agent's own met in the file system: it writes, syncs and reads one
// that no server sees, and which rules for every file hit as they do servers' files.
type DiskProbe struct {
	Write    time.Duration `json:"write"`
	Sync     time.Duration `json:"sync"`
	Read     time.Duration `json:"read"`
	WriteErr string        `json:"writeErr,omitempty"`
	SyncErr  string        `json:"syncErr,omitempty"`
	ReadErr  string        `json:"readErr,omitempty"`
}
