// Package situations follows the trace of all nodes of a cluster and counts in which
// situations it has been: named states and sequences of Raft in which known bugs show,
// such as two nodes that both lead, or a crash between an append and its persist.
//
// A situation is legal. That it was reached says that the run could have shown a bug
// that needs it; that it was never reached says that a pass is silent about such bugs.
//
// A [Tracker] takes the events of all nodes in the order of their times, in one pass.
// What it keeps is bounded by the number of nodes, terms and members: entries are kept as
// runs of one term. It judges nothing: what contradicts itself is followed as far as it
// goes, and never a panic. docs/situations.md lists all situations.
package situations
