// Package conformance follows the traces of all nodes of a cluster and refuses what
// Raft forbids: Figure 2 of the paper and the thesis, rule by rule.
//
// A [Checker] takes the events of all nodes, merged by time, one after another, and
// keeps for each node what it must hold by now: term, vote and role; the log, as runs
// of terms; what of all that is durable; what its leader told it, or as leader what
// the others acknowledged; its reads, snapshots and configurations. Each step is
// judged against that (Rules).
//
// # Order
//
// The order of one node's events is the order of its steps. Events of different nodes
// may be out of order by the error of their clocks, and no rule depends on that: what
// a node does is judged by its own events alone, in their order, and what it knows of
// others has come in messages, which its own trace holds. That a message was sent as it
// was received is checked whenever both ends are there, whichever comes first; the
// sender's end of it is judged by the sender's events. What concerns several nodes is
// kept in tables in which order is no matter: who led a term, where a term's entries
// begin, what was committed.
//
// # What is not known
//
// A node is trusted to tell its steps, and to tell them all but those that its Start
// says it lacks. Rules that need those are off for it. Where its trace is cut, or
// contradicts itself or the traces of others, what the node holds is not known from
// there to its next start: the rules about it are not decided, which the Report says
// by name. Neither is a violation.
//
// # Memory
//
// A log is kept as runs of one term, so it takes memory by leaders, not by entries.
// Messages are kept as fingerprints, a bounded number for each node; those whose
// receiver gets them later than that are not compared.
package conformance
