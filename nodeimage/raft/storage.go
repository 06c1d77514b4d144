package raft

// Storage is the node's stable storage; package wal implements it.
type Storage interface{}
