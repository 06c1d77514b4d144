package raft

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

const (
	defaultMaxBatchBytes = 1 << 20
	defaultMaxInflight   = 64
	defaultMaxPending    = 8192
	defaultSnapshotChunk = 256 << 10

	// maxUncommittedBatches bounds what a leader without a quorum lets its log
	// grow by: that many full batches.
	maxUncommittedBatches = 64
	// queueSlack is the room that the queue has for messages, beside the
	// proposals and reads that MaxPending admits.
	queueSlack = 4096
)

// withDefaults checks the configuration and fills in what was left out.
func (cfg Config) withDefaults() (Config, error) {
	setInt(&cfg.MaxBatchBytes, defaultMaxBatchBytes)
	setInt(&cfg.MaxInflight, defaultMaxInflight)
	setInt(&cfg.MaxPending, defaultMaxPending)
	setInt(&cfg.SnapshotChunk, defaultSnapshotChunk)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Tracer == nil {
		cfg.Tracer = noTrace{}
	}
	if cfg.TraceTime == nil && cfg.Clock != nil {
		cfg.TraceTime = cfg.Clock.Now
	}
	cfg.Members = slices.Sorted(slices.Values(cfg.Members))
	return cfg, cfg.check()
}

func setInt(v *int, def int) {
	if *v <= 0 {
		*v = def
	}
}

func (cfg *Config) check() error {
	switch {
	case cfg.ID == 0:
		return errors.New("raft: config: ID is 0, which means nobody")
	case !slices.Contains(cfg.Members, cfg.ID):
		return fmt.Errorf("raft: config: node %d is not among the members %v", cfg.ID, cfg.Members)
	case cfg.Members[0] == 0:
		return errors.New("raft: config: member 0, which means nobody")
	case len(slices.Compact(slices.Clone(cfg.Members))) != len(cfg.Members):
		return fmt.Errorf("raft: config: a member is named twice in %v", cfg.Members)
	case cfg.Heartbeat <= 0 || cfg.Heartbeat >= cfg.ElectionMin:
		return fmt.Errorf("raft: config: the heartbeat interval %v must be above 0 and well below the election timeout's minimum %v", cfg.Heartbeat, cfg.ElectionMin)
	case cfg.ElectionMax < cfg.ElectionMin:
		return fmt.Errorf("raft: config: election timeout from %v to %v", cfg.ElectionMin, cfg.ElectionMax)
	case cfg.Clock == nil || cfg.Rand == nil || cfg.Transport == nil || cfg.Storage == nil || cfg.StateMachine == nil:
		return errors.New("raft: config: Clock, Rand, Transport, Storage and StateMachine are all required")
	}
	return nil
}
