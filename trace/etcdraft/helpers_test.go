package etcdraft

import (
	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"
)

func unmarshal(data []byte, cc *raftpb.ConfChange) error { return proto.Unmarshal(data, cc) }

// quiet is a raft.Logger that says nothing.
type quiet struct{}

func (quiet) Debug(...any)              {}
func (quiet) Debugf(string, ...any)     {}
func (quiet) Error(...any)              {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Info(...any)               {}
func (quiet) Infof(string, ...any)      {}
func (quiet) Warning(...any)            {}
func (quiet) Warningf(string, ...any)   {}
func (quiet) Fatal(v ...any)            { panic(v) }
func (quiet) Fatalf(f string, v ...any) { panic(f) }
func (quiet) Panic(v ...any)            { panic(v) }
func (quiet) Panicf(f string, v ...any) { panic(f) }
