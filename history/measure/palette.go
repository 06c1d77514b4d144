package measure

import "squall/history"

// FaultClass is a group of faults that plots show in one colour, under one
// name.
type FaultClass string

// The classes. The colours of kill, pause, partition, packets and clock are
// Jepsen's.
const (
	ClassKill       FaultClass = "kill"  // servers end
	ClassPause      FaultClass = "pause" // servers stand still
	ClassPartition  FaultClass = "partition"
	ClassPackets    FaultClass = "packets"
	ClassClock      FaultClass = "clock"
	ClassStarve     FaultClass = "starve" // machines are short of something
	ClassMembership FaultClass = "membership"
	ClassOther      FaultClass = "other"
)

// FaultClasses are all classes.
func FaultClasses() []FaultClass {
	return []FaultClass{ClassKill, ClassPause, ClassPartition, ClassPackets, ClassClock, ClassStarve, ClassMembership, ClassOther}
}

// Color is the colour of a class as 0xRRGGBB.
func (c FaultClass) Color() uint32 {
	switch c {
	case ClassKill:
		return 0xe9a4a0
	case ClassPause:
		return 0xa0b1e9
	case ClassPartition:
		return 0xe9dca0
	case ClassPackets:
		return 0xd1e8a0
	case ClassClock:
		return 0xa0e9e3
	case ClassStarve:
		return 0xe9bf96
	case ClassMembership:
		return 0xd4b0e6
	}
	return 0xb9c4b0
}

// ClassOf is the class of a fault. Histories of before told no kind; their
// faults were those of the first names.
func ClassOf(name string, kind history.FaultKind) FaultClass {
	switch name {
	case "kill", "crash-loop", "rolling-restart", "power-cut", "out-of-memory":
		return ClassKill
	case "pause", "stutter":
		return ClassPause
	case "partition":
		return ClassPartition
	}
	switch kind {
	case history.KindPartition:
		return ClassPartition
	case history.KindPackets, history.KindMessages:
		return ClassPackets
	case history.KindClock:
		return ClassClock
	case history.KindMembership:
		return ClassMembership
	case history.KindMachine, history.KindDisk:
		return ClassStarve
	case history.KindProcess:
		return ClassPause
	}
	return ClassOther
}

// Class is the class of the fault.
func (f FaultRun) Class() FaultClass { return ClassOf(f.Name, f.Kind) }
