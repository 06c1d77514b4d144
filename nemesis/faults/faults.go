// Package faults is the catalogue: one file for each fault. The files named
// after what they share (cutting, shaping, meddling, acting, bending, squeezing) hold how
// faults of one kind work; a fault itself is a name, its parameters, and a
// composition of those. docs/guides/adding-a-fault.md shows how to add one.
package faults

import "squall/nemesis"

// All is the catalogue, in the order in which it is listed.
func All() []nemesis.Fault {
	return []nemesis.Fault{
		partition(), flapping(), swizzleClog(), isolateClients(),
		delay(), loss(), burstLoss(), duplicate(), reorder(), corrupt(), rate(), badLink(),
		messageDelay(), messageLoss(), messageDuplicate(), messageReorder(), messageReplay(),
		kill(), pause(), stutter(), crashLoop(), rollingRestart(),
		powerCut(), slowCPU(), lowMemory(), outOfMemory(),
		loseUnsynced(), fsyncLies(), diskSlow(), diskError(), diskFull(), readOnly(), bitFlip(), oldBlock(),
		clockOffset(), clockStrobe(), clockDrift(), clockBack(), clockFreeze(),
		interruptedElection(), contestedElection(), figure8(), voterRestart(), laggingFollower(), deposedLeader(), snapshotInterrupted(), doubleRestart(), frozenLeader(),
		addMember(), removeMember(), replaceMember(), transferLeadership(), promoteLearner(),
	}
}
