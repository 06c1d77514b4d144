package main

import (
	"go.etcd.io/raft/v3"

	"squall/trace"
	"squall/trace/etcdraft"
	"squall/trace/steps"
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

// newSteps makes the writer of the full trace. It is nil where squall does not ask for
// one. The members never change, so nothing else tells of them.
func newSteps(storage raft.Storage, id uint64) (*etcdraft.Steps, error) {
	out, err := steps.Open()
	if err != nil {
		return nil, err
	}
	return etcdraft.NewSteps(out, storage, id, steps.LacksKind(steps.Config))
}
