// Package trace is version 2 of the trace of a Raft node: every step that the rules
// of Raft speak of, in the order in which the node took it. It holds what an event
// is, its binary form, and readers.
//
// Version 1, the JSON lines of docs/trace.md, goes into the history and is always
// there. Version 2 is complete in itself: where a test runs with --trace full, each
// node writes it to a descriptor of its own, and the run directory keeps it in one
// file a node. docs/trace.md is the contract with servers.
package trace
