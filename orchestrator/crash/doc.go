// Package crash is the farm of crash states: from one storm that is over, whose nodes'
// disks kept journals, it takes many moments, and of each the states that a power cut at that moment
// may have left on every node. Something else boots a cluster from each (a Booter), and looks at it; this
// package judges what was seen against what clients had been acknowledged by that moment.
//
// The parts, in the order in which to read them:
//
//	storm.go    what is known of the storm: its history, by the moment of a power cut
//	walk.go     the nodes' disks at a moment, from their journals
//	survey.go   what a journal is like, found once
//	moments.go  which moments, worst first
//	states.go   which states at a moment
//	judge.go    what was seen of a cluster that was booted from one, and the verdict
//	farm.go     all of them, one after the other
//	hand.go     in which order, and when it is enough
//	shrink.go   the least that must be lost for a violation
//	record.go   the file that it goes on from
//	cover.go    what was covered
package crash
