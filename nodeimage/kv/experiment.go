package kv

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"squall/nodeimage/raft"
)

// Experiment has a server take trials of elections, and changes what the servers of
// the Raft paper did differently.
type Experiment struct {
	NoPreVote, NoStickiness bool          // see [raft.Experiment]
	StartWait               time.Duration // see [raft.Experiment]; 0: an election timeout
	// DiskMin and DiskMax slow the disk down: each write takes a time between
	// them, uniformly, beside its own; see [slowDisk]. 0: as fast as it is.
	DiskMin, DiskMax time.Duration
}

func (e *Experiment) check() error {
	switch {
	case e == nil:
	case e.DiskMin < 0 || e.DiskMax < e.DiskMin:
		return fmt.Errorf("a write takes from %v to %v: the second must not be shorter than the first", e.DiskMin, e.DiskMax)
	case e.StartWait < 0:
		return fmt.Errorf("start wait is %v", e.StartWait)
	}
	return nil
}

// raft is what of it Raft does. Without an experiment it is nil.
func (e *Experiment) raft() *raft.Experiment {
	if e == nil {
		return nil
	}
	return &raft.Experiment{NoPreVote: e.NoPreVote, NoStickiness: e.NoStickiness, WriteFirst: e.DiskMax > 0, StartWait: e.StartWait}
}

// disk is the storage as slow as it is to be.
func (e *Experiment) disk(s raft.Storage, self NodeID, seed uint64) raft.Storage {
	if e == nil || e.DiskMax == 0 {
		return s
	}
	return newSlowDisk(s, self, e.DiskMin, e.DiskMax, seed)
}

// disk is the storage as slow as it is to be.
func (c *Config) disk(s raft.Storage, seed uint64) raft.Storage {
	if c.SlowDisk > 0 {
		s = newSlowDisk(s, c.ID, c.SlowDisk, c.SlowDisk, seed)
	}
	return c.Experiment.disk(s, c.ID, seed)
}

// Obey carries out the trials that r orders, a line each (see
// [raft.ParseTrial]), until r ends. What comes of them is in the trace; a line
// that is none is logged. The crash of a trial is the end of this process, as by
// SIGKILL. The server must have been started with an [Experiment].
func (s *Server) Obey(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		trial, err := raft.ParseTrial(lines.Text())
		if err != nil {
			s.log.Error("this is not a trial", "err", err)
			continue
		}
		trial.Die = die
		if err := s.node.Try(trial); err != nil {
			s.log.Error("no trial is possible", "err", err)
			return
		}
	}
}

// slowDisk is a storage on which each write takes a while, as on the disks of
// the servers in the Raft paper, which had neither flash memory nor a cache that
// lasts. Those servers wrote one thing after the other: a voter first the new
// term and then its vote. So does this, by waiting twice.
type slowDisk struct {
	raft.Storage
	self     raft.NodeID
	min, max time.Duration
	rand     *rand.Rand // of the one goroutine that saves
}

func newSlowDisk(s raft.Storage, self NodeID, least, most time.Duration, seed uint64) *slowDisk {
	return &slowDisk{s, self, least, most, rand.New(rand.NewPCG(seed, ^uint64(self)))}
}

// Save implements raft.Storage.
func (d *slowDisk) Save(b raft.Batch) error {
	for range d.writes(b) {
		time.Sleep(d.min + time.Duration(d.rand.Int64N(int64(d.max-d.min)+1)))
	}
	return d.Storage.Save(b)
}

// writes is how many writes the batch would have been.
func (d *slowDisk) writes(b raft.Batch) int {
	if b.Hard != nil && b.Hard.Vote != 0 && b.Hard.Vote != d.self {
		return 2
	}
	return 1
}
