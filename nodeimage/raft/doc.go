// Package raft is a Raft consensus library in which everything that happens to a
// node is a typed task on one blocking queue, taken by one event loop.
//
// Time, randomness, transport and storage come from outside, so the same core runs
// in real time and in the virtual time of tests.
//
// # The picture
//
//	 Propose, Read    Receive      expired timers     answers of the workers
//	       |             |               |                      |
//	       +-------------+---- tasks ----+----------------------+
//	                           |
//	                  +--------v---------+
//	                  |  blocking queue  |  one per node; taken whole
//	                  +--------+---------+
//	                           |
//	                  +--------v---------+   each task     +---------------------+
//	                  |    event loop    +---------------->| core: term, vote,   |
//	                  +--------+---------+                 | log, timers         |
//	                           |                           |   role: follower,   |
//	                           |      once after all       |   candidate, leader |
//	                           +-------------------------->|   or stopped        |
//	                                     flush             +----------+----------+
//	                                                                  |
//	       +------------------+------------------+--------------------+
//	       | Batch            | entries, reads   | snapshots          | messages
//	+------v-------+   +------v-------+   +------v-------+     +------v-------+
//	|  log writer  |   |   applier    |   | snapshot     |     |  transport   |
//	|  (fsync)     |   |              |   | store        |     |              |
//	+------+-------+   +------+-------+   +------+-------+     +--------------+
//	       |                  |                  |
//	    Storage          StateMachine         Storage
//
// The core is owned by the event loop and has no lock. Whatever takes long is a job
// of one of the three workers, each a goroutine, which answers with a task. A message
// or trace event that speaks of a term, a vote or an entry is held until the write
// that contains it is durable; a node's own vote and its own acknowledgement are
// messages to itself, and wait in the same way.
//
// # The order in which to read
//
// The sections are those of "In Search of an Understandable Consensus Algorithm
// (Extended Version)", Ongaro and Ousterhout, 2014 (§), and of Ongaro's thesis
// "Consensus: Bridging Theory and Practice", 2014 (T).
//
// What goes in and out:
//
//	raft.go        Config, the interfaces of what comes from outside,   § 2, Fig. 2
//	               errors, trace events, status
//	message.go     messages between members, entries of the log         § 5, Fig. 2; T 3.3
//	storage.go     what must survive a crash                            § 5, Fig. 2; T 3.8
//
// The loop:
//
//	tasks.go       everything that can happen to a node                 T 10.1
//	queue.go       the blocking queue                                   T 10.1, 10.2.2 (batching)
//	node.go        Propose, Read, Receive; the event loop               T 10.1
//	core.go        a node's state; the change of role; what is held     § 5.1; T 3.3, 3.8
//	               until it is durable
//
// Elections:
//
//	terms.go       messages of older and newer terms; answers to        § 5.1, 5.4.1; T 3.4, 3.6.1,
//	               requests for votes                                   4.2.3, 9.6
//	timer.go       deadlines that move with every message               § 5.2, 5.6; T 3.9
//	follower.go    the follower: follows a leader, or waits for one     § 5.2, 5.3; T 3.4, 3.5
//	candidate.go   the candidate: pre-vote, then the campaign           § 5.2; T 3.4, 9.6
//	leader.go      the leader: heartbeats, the commit rule, stepping    § 5.2, 5.3, 5.4.2; T 3.4 to 3.6,
//	               down without a quorum                                6.2, 6.4 (first entry)
//	stopped.go     the node that does nothing any more
//
// The log:
//
//	log.go         the log in memory: matching, merging, truncating     § 5.3, 5.4.1; T 3.5, 3.6.1
//	progress.go    what a leader knows of each follower                 § 5.3; T 3.5, 10.2.2
//	replicate.go   appends and chunks to the followers                  § 5.3; T 3.5, 10.2.1, 10.2.2
//	proposals.go   who waits for which entry                            § 8; T 6.3
//	reads.go       reads without an entry (ReadIndex)                   § 8; T 6.4
//	apply.go       the commit index; the applier and its jobs           § 5.3; T 3.5
//	snapshot.go    taking, sending, installing; compaction              § 7; T 5.1
//	workers.go     the goroutines of log, state machine and snapshots   T 5.1.1, 10.1, 10.2.1
//
// The rest:
//
//	config.go      defaults, and what a Config must satisfy
//	codec.go       the wire form of messages
//	hash.go        the hash chain of the log
//	trace.go       when trace events leave (docs/trace.md)
//	steps.go       what a step is: version 2 of the trace
//	stepper.go     how steps are told, and what waits for them
//	experiment.go  what the paper's servers did differently; the layer  § 9.3; T 9
//	               around the core for election trials
//	trial.go       a trial of Figure 16                                 § 9.3, Fig. 16; T 9.3
//	doc.go         this page
//
// Package raft/wal is the Storage of real nodes.
//
// # Names elsewhere
//
// Many Raft implementations in Go descend from goraft, and many courses teach such a
// one. What has these names there is here:
//
//	blocking queue (blockqueue)    queue: offer is bounded, put for the node's own tasks is not
//	message {args, reply, err}     task; a caller's answer is its done function, a member's a Message
//	event loop                     Node.run, which hands each task to the core and then flushes
//	follower loop                  follower.handle
//	candidate loop                 candidate.handle; a reply is a task like any other, not a channel
//	leader loop                    leader.handle; its ticker is the task heartbeatTimeout
//	stopped channel                the role stopped, and the closing of the queue
//	change of state                core.become
//	agreement                      propose, Node.Propose
//	RequestVote RPC                MsgVote, MsgVoteReply, and MsgPreVote before it
//	AppendEntries RPC              MsgAppend, MsgAppendReply; without entries MsgHeartbeat
//	InstallSnapshot RPC            MsgSnapshot, one chunk, and MsgSnapshotReply
//	currentTerm, votedFor          core.term, core.vote, as a HardState on disk
//	commitIndex, lastApplied       raftLog.commit, core.applied
//	nextIndex, matchIndex          progress.next, progress.match
//	commit rule (sorted matches)   leader.quorumMatch, leader.maybeCommit
//	apply loop                     workers.runApplier, fed by core.feedApplier
//	base of the log                raftLog.base
//	wait for the index             proposals; how long to wait is the caller's decision
//	duplicate table                none: the state machine has it (package kv, client sessions)
//
// Why a role is a value and not a loop is told by docs/adr/0020-roles-as-values.md.
package raft
