//go:build !with_tla

package main

import "go.etcd.io/raft/v3"

// newTLATrace makes none: the library has a trace of its own with the tag with_tla only.
func newTLATrace() raft.TraceLogger { return nil }
