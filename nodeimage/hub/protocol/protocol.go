// Package protocol is what the orchestrator and the hub of a local cluster
// agree on: the messages between them, which file descriptors are whose, and
// the folder of a run.
//
// Both directions are JSON, one value a line. The hub's stdin takes one Config
// and then Commands; its stdout gives Events. When its stdin ends, the one who
// commanded it is gone, and the hub takes everything down. The agent's files of
// a machine that is started again come over a socket, see Handover.
package protocol

import "net/netip"

// Config is what the hub is to make.
type Config struct {
	// Folder is the cluster's own folder, which the hub makes and, in the end,
	// removes. It must not be there yet.
	Folder   string       `json:"folder"`
	Cluster  string       `json:"cluster"` // its id, unique on this host
	Network  netip.Prefix `json:"network"` // of the machines' addresses
	Machines []Machine    `json:"machines"`
	// Where a machine sees squall-node and its disk.
	BinaryPath string `json:"binaryPath"`
	DataDir    string `json:"dataDir"`
	// TempSize and TempFiles bound each of a machine's temporary directories,
	// in bytes and in files.
	TempSize  int64 `json:"tempSize"`
	TempFiles int64 `json:"tempFiles"`
	// FileSets are the files of machines, each set once.
	FileSets []FileSet `json:"fileSets,omitempty"`
}

// Machine is one machine to make. Its agent's stdin, stdout and stderr in its
// first life are handed to the hub as file descriptors, see FirstFD.
type Machine struct {
	Name   string     `json:"name"` // also its host name
	Addr   netip.Addr `json:"addr"`
	CPUs   float64    `json:"cpus,omitempty"`   // processors' worth of time; 0: no limit
	Memory int64      `json:"memory,omitempty"` // bytes; 0: no limit
	// Processes bounds its processes, threads included, where the kernel lets
	// them be counted; 0: no limit.
	Processes int64 `json:"processes,omitempty"`
	// Agent are the arguments of its agent. ServerUIDs are the users, by number,
	// one of which its servers get, and with it the disk: the first that the hub
	// has. Where it has none of them, the disk is process 1's.
	Agent      []string `json:"agent,omitempty"`
	ServerUIDs []int    `json:"serverUids,omitempty"`
	// Disk says that its agent lays a file system of squall's on the disk: it has /dev/fuse, and may mount.
	Disk bool `json:"disk,omitempty"`
	// Files is the key of the set of files that it holds; "": none.
	Files string `json:"files,omitempty"`
}

// HandoverFD is where the hub finds its end of the Handover.
const HandoverFD = 3

// FirstFD is where the hub finds the stdin of the i-th machine's agent. Its
// stdout and stderr follow.
func FirstFD(i int) int { return HandoverFD + 1 + 3*i }

// Verbs of commands.
const (
	VerbKill  = "kill"  // end Machine, as a power cut does
	VerbStart = "start" // let Machine, which has ended, begin its next Life; its files were handed over
	VerbLimit = "limit" // hold Machine to CPUs and Memory
	VerbKeep  = "keep"  // end all machines, leave their disks, and exit
	VerbDown  = "down"  // end all machines, remove everything, and exit
)

// Command asks the hub for something.
type Command struct {
	Verb    string `json:"verb"`
	Machine string `json:"machine,omitempty"`
	// ID, of a VerbStart and a VerbLimit, is in the EventDone that answers it.
	ID     uint64  `json:"id,omitempty"`
	Life   int     `json:"life,omitempty"`   // that begins with a VerbStart; the first is 1
	CPUs   float64 `json:"cpus,omitempty"`   // of a VerbLimit; 0: no limit
	Memory int64   `json:"memory,omitempty"` // of a VerbLimit, bytes; 0: no limit
}

// Kinds of events.
const (
	EventUp     = "up"     // every machine's agent runs
	EventFailed = "failed" // the machines cannot be made: Why; the hub exits
	EventExit   = "exit"   // process 1 of Machine ended in that Life: Why
	EventDone   = "done"   // the command ID was carried out; Why if not, then nothing was changed
	EventDown   = "down"   // the last event: what was asked for is done; Why if not all of it
)

// Event is something that happened.
type Event struct {
	Kind    string `json:"event"`
	Machine string `json:"machine,omitempty"`
	Life    int    `json:"life,omitempty"`
	ID      uint64 `json:"id,omitempty"`
	Why     string `json:"why,omitempty"`
	// InUse says of an EventDone why a limit of memory was refused: more is in use.
	InUse bool `json:"inUse,omitempty"`
}
