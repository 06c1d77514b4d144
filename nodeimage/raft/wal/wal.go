// Package wal is the write-ahead log: the stable storage of a Raft node.
package wal

import "squall/nodeimage/raft"

// Open opens or creates the log in dir.
func Open(dir string) (Log, error) { panic("todo") }

// Log is an open write-ahead log.
type Log interface {
	raft.Storage
	Close() error
}
