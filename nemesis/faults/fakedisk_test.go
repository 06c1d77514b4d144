package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/nemesis"
)

// fakeDisk is the disk of a fakeNode.
type fakeDisk struct {
	rules         []nemesis.DiskRule
	probed        bool // since there are rules
	cut, restored bool
	damaged       bool
}

var errOff = errors.New("the machine is off")

func (n *fakeNode) CutDisk(context.Context, nemesis.DiskCut) (nemesis.DiskLoss, error) {
	err := n.do(func() error {
		if !n.up {
			return errOff
		}
		n.disk.cut = true
		return nil
	})
	return nemesis.DiskLoss{Text: "wal: 1 write, 20 B"}, err
}

func (n *fakeNode) SetDisk(_ context.Context, rules []nemesis.DiskRule) error {
	return n.do(func() error {
		if !n.up {
			return errOff
		}
		n.disk.rules, n.disk.probed = rules, false
		return nil
	})
}

func (n *fakeNode) DiskState(context.Context) (nemesis.DiskState, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if !n.up {
		return nemesis.DiskState{}, errOff
	}
	s := nemesis.DiskState{Cut: n.disk.cut, Known: n.disk.restored}
	if n.disk.damaged {
		s.Damaged = 1
	}
	if len(n.disk.rules) > 0 && n.disk.probed {
		s.Hits = 1
	}
	return s, nil
}

func (n *fakeNode) ProbeDisk(context.Context) (nemesis.DiskProbe, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.disk.probed = true
	p := nemesis.DiskProbe{Write: time.Millisecond, Sync: time.Millisecond, Read: time.Millisecond}
	for _, r := range n.disk.rules {
		took, why := &p.Write, &p.WriteErr
		switch r.On {
		case nemesis.DiskOnSync:
			took, why = &p.Sync, &p.SyncErr
		case nemesis.DiskOnRead:
			took, why = &p.Read, &p.ReadErr
		}
		*took += r.Delay
		*why = map[string]string{nemesis.DiskError: "EIO", nemesis.DiskFull: "ENOSPC", nemesis.DiskReadOnly: "EROFS"}[r.Effect]
	}
	return p, nil
}

func (n *fakeNode) DamageDisk(_ context.Context, d nemesis.DiskDamage) (what string, err error) {
	err = n.do(func() error {
		if n.proc.Running {
			return errors.New("the server runs")
		}
		n.disk.damaged, what = true, fmt.Sprintf("%s of %s", d.Kind, d.Files)
		return nil
	})
	return what, err
}

func (n *fakeNode) RepairDisk(context.Context) error {
	return n.do(func() error { n.disk.damaged = false; return nil })
}
