package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	journals "squall/nodeimage/disk"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// journalsTimeout bounds the taking of the journals of all disks.
const journalsTimeout = 3 * time.Minute

// keepJournals takes the journals of the nodes' disks into the run directory, where the test asks for them: the servers
// have ended, and the machines are up. What cannot be had is told, and what was had of such a node is removed: a journal that is not
// whole would tell of disks that never were.
func (r *run) keepJournals(ctx context.Context) {
	if r.plan.Test.DiskJournal == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, journalsTimeout)
	defer cancel()
	for _, n := range r.nodes.all {
		err := errors.New("its machine is off")
		folder := filepath.Join(r.dir, journals.RunFolder, n.Name())
		if n.Up() {
			err = keepJournal(ctx, n, folder)
		}
		if err != nil {
			r.log.Warn("the journal of a disk is lost: squall crash has nothing to go by", "node", n.Name(), "err", err)
			_ = os.RemoveAll(folder)
		}
	}
}

// keepJournal takes the journals of all lives of a node's disk.
func keepJournal(ctx context.Context, n *node, folder string) error {
	status, err := n.agent().DiskStatus(ctx)
	if err != nil {
		return err
	}
	if status.Broken != "" {
		return fmt.Errorf("the file system lost track of what is synced: %s", status.Broken)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for life := 1; life <= status.Life; life++ {
		f, err := os.Create(filepath.Join(folder, journals.JournalName(life)))
		if err != nil {
			return err
		}
		_, err = n.agent().DiskJournal(ctx, life, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return nil
}

// checkJournals refuses journals of disks where the runtime cannot lay a file system on them.
func checkJournals(ctx context.Context, rt machines.Runtime, t testplan.Test) error {
	if t.DiskJournal == 0 {
		return nil
	}
	if why := rt.Can(ctx)[machines.CanDisk]; why != "" {
		return &testplan.FieldError{Option: "disk-journal", Err: errors.New(why)}
	}
	return nil
}
