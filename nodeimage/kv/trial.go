package kv

import (
	"bufio"
	"io"
	"math/rand/v2"
	"time"

	"squall/nodeimage/raft"
)

// Obey carries out the trials that r orders, a line each (see
// [raft.ParseTrial]), until r ends. What comes of them is in the trace; a line
// that is none is logged. The crash of a trial is the end of this process, as by
// SIGKILL.
func (s *Server) Obey(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		trial, err := raft.ParseTrial(lines.Text())
		if err != nil {
			s.log.Error("this is not a trial", "err", err)
			continue
		}
		trial.Die = die
		s.node.Try(trial)
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

func newSlowDisk(s raft.Storage, cfg *Config, seed uint64) *slowDisk {
	return &slowDisk{s, cfg.ID, cfg.DiskMin, cfg.DiskMax, rand.New(rand.NewPCG(seed, ^uint64(cfg.ID)))}
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
