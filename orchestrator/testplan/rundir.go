package testplan

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/elections"
	"squall/internal/atomicfile"
	"squall/internal/regular"
)

// PlanFile is the file of a run directory with its plan; latestLink, among run
// directories, leads to the newest.
const (
	PlanFile   = "plan.json"
	latestLink = "latest"
)

// MakeRunDir makes out/<name>/<UTC time>-<seed>.
func MakeRunDir(out, name string, seed uint64, now time.Time) (string, error) {
	base := filepath.Join(out, name, fmt.Sprintf("%s-%d", now.UTC().Format("20060102T150405Z"), seed))
	dir := base
	for i := 2; ; i++ { // two runs of one seed within a second
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return "", fmt.Errorf("make the folder of runs (--out): %w", err)
		}
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrExist) || i > 100 {
			return "", fmt.Errorf("make the run directory (--out): %w", err)
		}
		dir = fmt.Sprintf("%s-%d", base, i)
	}
}

// NewRunDir makes out/<test>/<UTC time>-<seed> with the plan in it, and points
// out/latest at it.
func NewRunDir(p *Plan, now time.Time) (string, error) {
	dir, err := MakeRunDir(p.Test.Out, p.Test.Name, p.Test.Seed, now)
	if err != nil {
		return "", err
	}
	if err := atomicfile.WriteJSON(filepath.Join(dir, PlanFile), p); err != nil {
		return "", err
	}
	return dir, PointLatest(p.Test.Out, dir)
}

// PointLatest points out/latest at a folder below out. It replaces the link in one step, so that it never dangles. Where
// no link can be made (Windows asks for a right, some file systems have none)
// there is none: an old one would point at the wrong run, and FindRun does
// without.
func PointLatest(out, dir string) error {
	target, err := filepath.Rel(out, dir)
	if err != nil {
		return fmt.Errorf("point %s at the run: %w", latestLink, err)
	}
	temp := latestTemp(out, target)
	link := filepath.Join(out, latestLink)
	_ = os.Remove(temp)
	if err := os.Symlink(target, temp); err != nil {
		_ = os.Remove(link)
		return nil
	}
	if os.Rename(temp, link) == nil {
		return nil
	}
	_ = os.Remove(link) // Windows does not rename over a link to a folder
	if err := os.Rename(temp, link); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("point %s at the run: %w", latestLink, err)
	}
	return nil
}

// latestTemp is where a link is made before it takes its place. Others, of this
// process too, may be pointing it elsewhere at the same moment.
func latestTemp(out, target string) string {
	return filepath.Join(out, fmt.Sprintf(".%s-%d-%x", latestLink, os.Getpid(), sha256.Sum256([]byte(target))))
}

// RunInfo is one line of the list of runs.
type RunInfo struct {
	Dir     string        `json:"dir"`
	Test    string        `json:"test"`
	Started string        `json:"started"`           // as in the folder's name
	Verdict check.Verdict `json:"verdict"`           // "" when the run has no results
	Stopped string        `json:"stopped,omitempty"` // see check.Results
	OpsOK   int64         `json:"opsOk"`
	Losses  int           `json:"leaderLosses"`
	Running bool          `json:"running,omitempty"` // it goes on
	// Broken: it has no results, and did not come to its end: squall was killed.
	Broken bool `json:"broken,omitempty"`
}

// ListRuns finds the runs under out, the newest first.
func ListRuns(out string) ([]RunInfo, error) {
	var files []string
	for _, name := range []string{PlanFile, history.FileName} {
		found, err := filepath.Glob(filepath.Join(out, "*", "*", name))
		if err != nil {
			return nil, fmt.Errorf("list the runs in %s: %w", out, err)
		}
		files = append(files, found...)
	}
	var runs []RunInfo
	seen := map[string]bool{}
	for _, file := range files {
		dir := filepath.Dir(file)
		// Runs of elections have no plan, and campaigns' runs are theirs.
		if parent := filepath.Base(filepath.Dir(dir)); seen[dir] || slices.Contains(reserved(), parent) {
			continue
		}
		seen[dir] = true
		info := RunInfo{Dir: dir, Test: filepath.Base(filepath.Dir(dir)), Started: filepath.Base(dir)}
		if results, err := check.ReadResults(dir); err == nil {
			info.Verdict, info.OpsOK, info.Losses = results.Verdict, results.Ops.OK, results.Elections.Lost()
			info.Stopped = results.Stopped
		}
		if found, held := heldRun(dir); found {
			info.Running, info.Broken = held, !held && info.Verdict == ""
		}
		runs = append(runs, info)
	}
	slices.SortFunc(runs, func(a, b RunInfo) int { return strings.Compare(b.Started, a.Started) })
	return runs, nil
}

// heldRun reports whether the run in dir has the file that is there while it goes
// on, and whether it does.
func heldRun(dir string) (found, held bool) {
	f, err := regular.Open(filepath.Join(dir, history.HoldName))
	if err != nil {
		return false, false
	}
	defer f.Close()
	return true, history.Held(f)
}

// FindRun resolves what a user may call a run: a path, "latest" (or nothing),
// or the number that `squall list runs` shows (1 is the newest). Where there is
// no link, the newest is the latest. A run of election trials is not such a run,
// and the error names the command that shows it.
func FindRun(out, name string) (string, error) {
	if name == "" {
		name = latestLink
	}
	if filepath.Base(name) == history.FileName { // the file, in place of its folder
		name = filepath.Dir(name)
	}
	for _, dir := range []string{name, filepath.Join(out, name)} {
		if holdsTrials(dir) {
			return "", trialsNotRun(dir)
		}
		if holdsRun(dir) {
			if resolved, err := filepath.EvalSymlinks(dir); err == nil {
				return resolved, nil
			}
			return dir, nil
		}
	}
	if number := runNumber(name); number > 0 {
		runs, err := ListRuns(out)
		if err != nil {
			return "", err
		}
		if number <= len(runs) {
			return runs[number-1].Dir, nil
		}
	}
	return "", noRun(out, name)
}

// holdsRun reports whether a folder holds a run: its plan, or a history alone.
func holdsRun(dir string) bool {
	return holdsFile(dir, PlanFile) || holdsFile(dir, history.FileName)
}

// holdsTrials reports whether a folder holds a run of election trials: it has a
// history, but neither a plan nor a load.
func holdsTrials(dir string) bool {
	return holdsFile(dir, elections.FileName) && !holdsFile(dir, PlanFile)
}

func holdsFile(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular()
}

// runNumber is the place of a run in the list, or 0 where name is no number.
func runNumber(name string) int {
	if name == latestLink {
		return 1
	}
	var number int
	if _, err := fmt.Sscanf(name, "%d", &number); err != nil {
		return 0
	}
	return number
}
