package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"squall/history/check"
	"squall/internal/atomicfile"
	"squall/nodeimage/disk"
)

// Bounds of making a violation smaller.
const (
	shrinkTries = 40
	shrinkTime  = 3 * time.Minute
)

// keep makes a violation as small as can be, and keeps it in a folder: its disks, and what it came to. One that was
// kept by an earlier call stays.
func (f *farm) keep(ctx context.Context, found Result) (*Result, string, error) {
	folder := filepath.Join(f.storm.Dir, Folder, Violations, found.ID)
	if kept, err := ReadState(folder); err == nil {
		return kept, folder, nil
	}
	small := found
	err := remake(f.storm, found.State, f.cfg.Seed, func(m *made, ws walks) error {
		s := &shrinking{farm: f, walks: ws, like: found.Check, best: m, result: found, until: time.Now().Add(shrinkTime)}
		if ctx.Err() == nil && len(f.cfg.Booters) > 0 {
			s.run(ctx)
		}
		small = s.result
		small.Lost = s.best.lost()
		return writeState(folder, &small, s.best)
	})
	if err != nil {
		return &small, "", fmt.Errorf("keep the state %s: %w", found.ID, err)
	}
	return &small, folder, nil
}

// shrinking looks for a smaller state that is a violation of the same check.
type shrinking struct {
	farm   *farm
	walks  walks
	like   string
	best   *made
	result Result
	tries  int
	until  time.Time
}

// run lets nodes lose nothing, then files, then single writes: each for as long as it is a violation all the same.
func (s *shrinking) run(ctx context.Context) {
	for _, w := range s.walks {
		s.try(ctx, w, func(c, all disk.Choice) (disk.Choice, bool) { return all, !s.best.images[w.disk.Node].Lost.Empty() })
	}
	for _, w := range s.walks {
		if s.best.images[w.disk.Node].Lost.Empty() {
			continue
		}
		s.try(ctx, w, func(c, all disk.Choice) (disk.Choice, bool) { c.Names = all.Names; return c, true })
		for _, file := range w.model.Dirty() {
			s.try(ctx, w, func(c, all disk.Choice) (disk.Choice, bool) { c.Files[file] = all.Files[file]; return c, true })
			s.fewer(ctx, w, file)
		}
	}
}

// fewer lets a file keep as long a prefix as can be.
func (s *shrinking) fewer(ctx context.Context, w *walk, file disk.Ino) {
	most, _ := w.model.Choose(disk.Everything, nil)
	all := most.Files[file]
	low, high := len(s.best.images[w.disk.Node].Choice.Files[file]), len(all)
	for low+1 < high {
		middle := (low + high) / 2
		keep := func(c, _ disk.Choice) (disk.Choice, bool) { c.Files[file] = all[:middle]; return c, true }
		if s.try(ctx, w, keep) {
			low = middle
		} else {
			high = middle
		}
	}
}

// try boots a state in which one node has another choice, and takes it if it is a violation of the same check. change is given a copy
// of the node's choice, and the one that keeps everything.
func (s *shrinking) try(ctx context.Context, w *walk, change func(c, all disk.Choice) (disk.Choice, bool)) bool {
	if s.tries >= shrinkTries || time.Now().After(s.until) || ctx.Err() != nil {
		return false
	}
	choices := map[string]disk.Choice{}
	for node, img := range s.best.images {
		choices[node] = img.Choice
	}
	old := choices[w.disk.Node]
	old.Files = maps.Clone(old.Files)
	all, _ := w.model.Choose(disk.Everything, nil)
	choice, ok := change(old, all)
	if !ok {
		return false
	}
	choices[w.disk.Node] = choice
	one, err := choose(s.farm.storm, s.walks, s.best.Moment, choices)
	if err != nil || one.ID == s.best.ID {
		return err == nil && one.ID == s.best.ID
	}
	s.tries++
	begun := time.Now()
	judged, err := s.farm.try(ctx, s.farm.cfg.Booters[0], one)
	if err != nil || judged.Verdict != check.Violation || judged.Check != s.like {
		return false
	}
	s.best, s.result = one, Result{State: one.State, Judged: judged, Took: time.Since(begun)}
	return true
}

// writeState keeps a state in a folder.
func writeState(folder string, r *Result, m *made) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	for node, img := range m.images {
		at := filepath.Join(folder, node)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		root, err := os.OpenRoot(at)
		if err != nil {
			return err
		}
		if err := errors.Join(img.WriteTo(root), root.Close()); err != nil {
			return err
		}
	}
	return atomicfile.WriteJSON(filepath.Join(folder, StateFile), r)
}

// sentence says what a violation is: when, who lost what, and what was missing.
func (f *farm) sentence(r *Result) string {
	in := check.Input{History: f.storm.History}
	var losses []string
	for _, node := range slices.Sorted(maps.Keys(r.Lost)) {
		losses = append(losses, node+" lost "+r.Lost[node].String())
	}
	what := "nothing was lost but the processes"
	if len(losses) > 0 {
		what = strings.Join(losses, " | ")
	}
	then := "every node served, and all that was acknowledged was there"
	if r.Verdict != check.Pass {
		then = r.Check + ": " + r.Text
	}
	if r.Again != "" {
		then = "every node served, and all was there; " + r.Again + ", and at the second start " + then
	}
	return fmt.Sprintf("a power cut at %.6f s (%s) may leave this: %s. Then %s", in.Since(r.At), r.Why.Text(), what, then)
}

// Text tells it of a moment.
func (w Why) Text() string {
	switch w {
	case WhyAcknowledged:
		return "just after an acknowledgement"
	case WhyNames:
		return "just after files were made, renamed or removed"
	case WhySync:
		return "just before a sync returned"
	case WhyTear:
		return "within the sync of a write that may be torn"
	case WhySnapshot:
		return "just after a snapshot"
	case WhyElection:
		return "just after a vote or an election"
	case WhyCut:
		return "just after a file was made shorter"
	}
	return "at no particular moment"
}
