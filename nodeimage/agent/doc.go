// Package agent is process 1 of every machine: it runs the server under test,
// forwards what the server prints and traces, and carries out what faults are
// made of: kill, pause, the want of processors and memory, the bending of the
// server's clock (docs/clock-bending.md), the rules for its messages
// (docs/message-faults.md), and what can befall packets: cuts (by
// the kernel's packet rules) and bad links (see package shape).
//
// It is commanded over its stdin and stdout alone (see package protocol), never
// over the cluster's network, so that no partition cuts it off. What it has to
// say for itself goes to stderr. When its stdin ends, the one who commanded it
// is gone: it kills the server and exits, so that the machines of a squall that
// was killed stop by themselves.
//
// The server runs without capabilities. The agent cannot take them from it by
// lowering the bounding set, for which CAP_SETPCAP would be needed; so the
// server is started through a go-between (Exec), which gives up its own and
// sets no_new_privs before it becomes the server.
//
// The agent runs on Linux only.
package agent
