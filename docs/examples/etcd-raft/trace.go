package main

import (
	"go.etcd.io/raft/v3"

	"squall/trace"
	"squall/trace/etcdraft"
)

// newTracer makes the tracer of this node. It is nil where squall did not start the
// process, and then all of its methods do nothing. squall calls node 1 "n1", as the
// tracer does where it is not told otherwise.
func newTracer(storage raft.Storage) (*etcdraft.Tracer, error) {
	out, err := trace.Open()
	if err != nil {
		return nil, err
	}
	return etcdraft.New(out, storage, nil)
}
