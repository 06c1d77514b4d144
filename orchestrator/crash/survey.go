package crash

import (
	"context"
	"fmt"
	"math"
	"slices"

	"squall/nodeimage/disk"
)

// survey is what is known of the journals before any state is made.
type survey struct {
	nodes []nodeSurvey
}

// nodeSurvey is what was done to the disk of a node, and when, ns.
type nodeSurvey struct {
	at      []int64 // of every operation
	pending []int32 // changes that were pending after it
	names   []int64 // operations on names
	cuts    []int64 // what makes a file shorter, or bytes zero
	syncs   []int64 // syncs that made something durable: when they returned
	tears   []int64 // just before syncs of files to which a write had come that crosses a sector
	began   int64   // when the first life began

	crossed map[disk.Ino]bool // files to which such a write has come since their last sync
}

// look goes through all journals once.
func look(ctx context.Context, disks []Disk) (*survey, error) {
	s := &survey{}
	for _, d := range disks {
		one, err := lookAt(ctx, d)
		if err != nil {
			return nil, err
		}
		if len(one.at) == 0 {
			return nil, fmt.Errorf("the journal of %s is empty", d.Node)
		}
		s.nodes = append(s.nodes, *one)
	}
	return s, nil
}

func lookAt(ctx context.Context, d Disk) (*nodeSurvey, error) {
	const checkEvery = 1 << 12
	s := &nodeSurvey{crossed: map[disk.Ino]bool{}}
	w := newWalk(d, false)
	defer w.close()
	before := 0
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		done, err := w.step(math.MaxInt64, func(op *disk.Op) {
			files, names := w.model.Pending()
			s.take(op, files+names, before)
			before = files + names
		})
		if err != nil || !done {
			return s, err
		}
	}
}

// take notes an operation.
func (s *nodeSurvey) take(op *disk.Op, pending, before int) {
	if len(s.at) == 0 {
		s.began = op.At
	}
	s.at, s.pending = append(s.at, op.At), append(s.pending, int32(min(pending, math.MaxInt32)))
	switch op.Kind {
	case disk.Mount:
		clear(s.crossed)
	case disk.Write:
		if !op.Synced && disk.Crosses(op, disk.SmallSector) {
			s.crossed[op.Node] = true
		}
	case disk.Create, disk.Mkdir, disk.Symlink, disk.Link, disk.Rename, disk.Exchange, disk.Unlink, disk.Rmdir:
		s.names = append(s.names, op.At)
	case disk.Truncate, disk.Allocate, disk.Zero:
		s.cuts = append(s.cuts, op.At)
	case disk.Sync, disk.SyncData, disk.SyncAll:
		if pending < before {
			s.syncs = append(s.syncs, op.At)
		}
		if s.crossed[op.Node] {
			s.tears = append(s.tears, op.At-1)
		}
		delete(s.crossed, op.Node)
	}
}

// settle is the last moment, ns, at which every disk is as it was at a moment: just before something more is
// done to any, and end at the latest.
func (s *survey) settle(at, end int64) int64 {
	for i := range s.nodes {
		times := s.nodes[i].at
		if next, _ := slices.BinarySearch(times, at+1); next < len(times) {
			end = min(end, times[next]-1)
		}
	}
	return max(at, end)
}

// after are the times of the next operations after a moment, on any disk, n at most.
func (s *survey) after(at int64, n int) (times []int64) {
	for i := range s.nodes {
		all := s.nodes[i].at
		next, _ := slices.BinarySearch(all, at+1)
		times = append(times, all[next:min(next+n, len(all))]...)
	}
	slices.Sort(times)
	return times[:min(n, len(times))]
}

// pendingAt is how many changes are pending at a moment, on all nodes together.
func (s *survey) pendingAt(at int64) (n int) {
	for i := range s.nodes {
		times := s.nodes[i].at
		if next, _ := slices.BinarySearch(times, at+1); next > 0 {
			n += int(s.nodes[i].pending[next-1])
		}
	}
	return n
}

// began is when all disks had begun, ns.
func (s *survey) began() int64 {
	at := int64(0)
	for i := range s.nodes {
		at = max(at, s.nodes[i].began)
	}
	return at
}
