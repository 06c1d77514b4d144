package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"squall/nodeimage/disk"
)

// ReadState reads the state of a folder that keeps a violation.
func ReadState(folder string) (*Result, error) {
	text, err := os.ReadFile(filepath.Join(folder, StateFile))
	if err != nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, StateFile), err)
	}
	return &r, nil
}

// Replayed is a state that was booted again.
type Replayed struct {
	Result Result
	Seen   *Seen  // at the last start
	Reason string // as Outcome has it
}

// Replay boots one state again, by its ID or the beginning of it: of a violation that was made smaller, what it was
// made. It goes into no record.
func Replay(ctx context.Context, s *Storm, cfg Config, id string) (*Replayed, error) {
	record, err := ReadRecord(s.Dir)
	if err != nil {
		return nil, err
	}
	if now := s.Disks[0].Names == disk.Journaled; now != record.Head.Journaled {
		return nil, errors.New("the farm read names otherwise: leave --names out, or give it as then")
	}
	found, err := record.Find(s.Dir, id)
	if err != nil {
		return nil, err
	}
	if kept, err := ReadState(filepath.Join(s.Dir, Folder, Violations, found.ID)); err == nil {
		found = kept
	}
	f := &farm{cfg: cfg, storm: s}
	out := &Replayed{}
	err = remake(s, found.State, record.Head.Seed, func(m *made, _ walks) error {
		begun := time.Now()
		judged, seen, err := f.start(ctx, cfg.Booters[0], m)
		if err != nil {
			return err
		}
		out.Seen = seen
		out.Result = Result{State: m.State, Judged: judged, Lost: m.lost(), Took: time.Since(begun)}
		out.Reason = f.sentence(&out.Result)
		return nil
	})
	return out, err
}
