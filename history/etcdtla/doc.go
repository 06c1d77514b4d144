// Package etcdtla reads the traces that go.etcd.io/raft/v3 writes where it is built with
// the tag with_tla, lines of JSON, as steps of package trace.
//
// Such a line tells the node's term, vote, commit index, role, last index and voters, as
// they were when it took the step, and the message, if the step is about one. It does not
// tell which entries a log holds, so the reader follows all nodes together: a leader
// appends entries of its own term, and a follower those that the leader's log held when it
// sent them. What a node reports is what counts; where that cannot be explained, the node
// is silent from there to its next start.
//
// What the lines never tell ([lacking]) is declared, so that no rule that needs it is
// taken for kept.
package etcdtla
