package main

import (
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// slowDisk is a store whose writes take longer by a given time.
type slowDisk struct {
	*raftboltdb.BoltStore
	by time.Duration
}

// StoreLog implements raft.LogStore.
func (d slowDisk) StoreLog(l *raft.Log) error { return d.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (d slowDisk) StoreLogs(logs []*raft.Log) error {
	time.Sleep(d.by)
	return d.BoltStore.StoreLogs(logs)
}

// Set implements raft.StableStore.
func (d slowDisk) Set(key, value []byte) error {
	time.Sleep(d.by)
	return d.BoltStore.Set(key, value)
}

// SetUint64 implements raft.StableStore.
func (d slowDisk) SetUint64(key []byte, value uint64) error {
	time.Sleep(d.by)
	return d.BoltStore.SetUint64(key, value)
}
