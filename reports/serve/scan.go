package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/elections"
	"squall/history/ledger"
	"squall/history/measure"
	"squall/internal/plain"
	"squall/internal/regular"
	"squall/reports"
)

// The files and folders that a list is made from, beside those that history,
// check, ledger and reports name.
const (
	planFile        = "plan.json"
	envFile         = "env.json"
	campaignsFolder = "campaigns"
	campaignLock    = ".lock" // whoever runs the campaign holds it
)

// runMarks are the files by which a run directory is known. Trials of elections
// have no plan, and their record comes when they are over.
var runMarks = []string{planFile, elections.FileName, history.HoldName}

// shown are the files that show what a run came to, the best first.
var shown = []string{reports.ReportFile, reports.ElectionsSVG}

// isRun reports whether a folder is a run directory.
func isRun(fsys fs.FS, dir string) bool {
	return slices.ContainsFunc(runMarks, func(name string) bool { return isFile(fsys, path.Join(dir, name)) })
}

// reportOf is the file that shows what a run came to, "" when there is none yet.
func reportOf(fsys fs.FS, dir string) string {
	for _, name := range shown {
		if isFile(fsys, path.Join(dir, name)) {
			return name
		}
	}
	return ""
}

// maxJSON is how long a file may be that the list is made from, bytes.
const maxJSON = 64 << 20

// The states of a run that are no verdicts.
const (
	stateRunning    = "running"
	stateUnfinished = "unfinished" // it has no results and nobody is making them
	stateDamaged    = "damaged"
	stateMissed     = "threshold" // passed, but for a threshold
)

// runInfo is one run in the list.
type runInfo struct {
	Path       string // below the folder of runs
	Test       string
	System     string // "" and 0 in these: its plan does not say
	Nodes      int
	Nemesis    string
	Seed       string
	Started    time.Time // zero: not known
	State      string    // a verdict or one of the states
	Why        string    // why it is damaged, or its first reason
	Stopped    string    // when it was stopped early; "": it was not
	Took       float64   // s; 0: not known
	Throughput float64   // OK operations a second
	OK         int64
	Lost       int // leaders
	Faults     int
	HasFigures bool
	Report     string // the file that shows it; "": none
	Timeline   bool
	Campaign   string // the path of the campaign that it is part of
}

// campaignInfo is one campaign in the list.
type campaignInfo struct {
	Path    string
	Name    string
	Started time.Time
	Took    time.Duration // 0: not over
	State   string        // running, unfinished, damaged, stopped, done
	Why     string
	Done    int
	Cells   int
	Counts  map[string]int // of the cells that are done, by verdict or stateMissed
	Page    bool
	Trends  bool // there are trends over the campaigns of its name
}

// listing is what a look at the folder found.
type listing struct {
	runs      []runInfo      // the newest first
	campaigns []campaignInfo // the newest first
	troubles  []string
}

// scanner looks through the folder. One look serves all who ask within a while,
// and what was read of a file is kept until the file changes.
type scanner struct {
	root *os.Root
	fs   fs.FS

	mu    sync.Mutex
	last  *listing
	until time.Time // last is good up to then
	files map[string]*parsed
}

// parsed is what a JSON file held.
type parsed struct {
	changed time.Time
	size    int64
	value   any
	err     error
	seen    bool // in the look that is going on
}

// A look is good for a second, or ten times as long as it took, so that looking
// takes a tenth of one processor at most.
const (
	freshFor   = time.Second
	freshTimes = 10
)

func (s *scanner) look() *listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	if s.last != nil && began.Before(s.until) {
		return s.last
	}
	for _, p := range s.files {
		p.seen = false
	}
	l := &listing{}
	s.tests(l, ".", "")
	s.campaigns(l)
	slices.SortStableFunc(l.runs, func(a, b runInfo) int { return strings.Compare(path.Base(b.Path), path.Base(a.Path)) })
	slices.SortStableFunc(l.campaigns, func(a, b campaignInfo) int { return strings.Compare(path.Base(b.Path), path.Base(a.Path)) })
	for name, p := range s.files {
		if !p.seen {
			delete(s.files, name)
		}
	}
	s.last, s.until = l, time.Now().Add(max(freshFor, freshTimes*time.Since(began)))
	return l
}

// folders are the folders in dir; a link to one is none.
func (s *scanner) folders(l *listing, dir string) []string {
	entries, err := fs.ReadDir(s.fs, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.troubles = append(l.troubles, harmless(err.Error(), 300))
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, path.Join(dir, e.Name()))
		}
	}
	return names
}

// tests takes the runs of a folder that holds <test>/<run>.
func (s *scanner) tests(l *listing, out, campaign string) {
	for _, test := range s.folders(l, out) {
		for _, dir := range s.folders(l, test) {
			if r, ok := s.run(dir); ok {
				r.Campaign = campaign
				l.runs = append(l.runs, r)
			}
		}
	}
}

func (s *scanner) campaigns(l *listing) {
	for _, name := range s.folders(l, campaignsFolder) {
		for _, dir := range s.folders(l, name) {
			files, err := s.names(dir)
			if err != nil || !files[ledger.FileName] {
				continue
			}
			first := len(l.runs)
			s.tests(l, path.Join(dir, ledger.CellsFolder), dir)
			busy := slices.ContainsFunc(l.runs[first:], func(r runInfo) bool { return r.State == stateRunning })
			l.campaigns = append(l.campaigns, s.campaign(dir, files, busy))
		}
	}
}

// names are the names of all that is in a folder.
func (s *scanner) names(dir string) (map[string]bool, error) {
	entries, err := fs.ReadDir(s.fs, dir)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(entries))
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names, nil
}

// plan and results are what the list shows of these files.
type plan struct {
	Test struct {
		Name     string `json:"name"`
		System   string `json:"system"`
		Nodes    int    `json:"nodes"`
		Workload string `json:"workload"`
		Nemesis  string `json:"nemesis"`
		Schedule string `json:"schedule"`
		Mutant   string `json:"mutant"`
		Time     string `json:"time"`
		Seed     uint64 `json:"seed"`
	} `json:"test"`
}

type results struct {
	Verdict check.Verdict `json:"verdict"`
	Stopped string        `json:"stopped"`
	Reasons []string      `json:"reasons"`
	Ops     struct {
		OK          int64   `json:"ok"`
		LoadSeconds float64 `json:"loadSeconds"`
		Throughput  float64 `json:"throughput"`
	} `json:"ops"`
	Elections struct {
		Losses    []struct{} `json:"losses"`
		LossCount int        `json:"lossCount"` // of all, where Losses has some
	} `json:"elections"`
	Faults     []struct{} `json:"faults"`
	Thresholds []struct {
		Text string `json:"text"`
		Met  bool   `json:"met"`
	} `json:"thresholds"`
}

type environment struct {
	Seconds map[string]float64 `json:"seconds"`
}

// run reads what there is of a run; false for a folder that is none.
func (s *scanner) run(dir string) (runInfo, bool) {
	files, err := s.names(dir)
	if err != nil || !slices.ContainsFunc(runMarks, func(name string) bool { return files[name] }) {
		return runInfo{}, false
	}
	started, seed := nameOf(path.Base(dir))
	r := runInfo{Path: dir, Test: path.Base(path.Dir(dir)), Seed: seed, Started: started,
		Timeline: files[reports.TimelineFile]}
	for _, name := range slices.Backward(shown) {
		if files[name] {
			r.Report = name
		}
	}
	switch {
	case files[check.ResultsName]:
		res, err := read[results](s, path.Join(dir, check.ResultsName))
		if err == nil {
			r.take(res)
		} else {
			r.State, r.Why = stateDamaged, harmless(err.Error(), 300)
		}
	case files[history.HoldName] && s.held(path.Join(dir, history.HoldName)):
		r.State = stateRunning
	default:
		r.State, r.Why = stateUnfinished, "It has no results: squall was stopped or killed. `squall check` makes them from what was recorded."
	}
	if files[planFile] {
		if p, err := read[plan](s, path.Join(dir, planFile)); err == nil {
			r.plan(p)
		}
	}
	if files[envFile] {
		if env, err := read[environment](s, path.Join(dir, envFile)); err == nil && env.Seconds[history.MarkDone] > 0 {
			r.Took = env.Seconds[history.MarkDone]
		}
	}
	return r, true
}

// plan takes what the list shows of a plan.
func (r *runInfo) plan(p plan) {
	r.System, r.Nodes, r.Nemesis = harmless(p.Test.System, 60), p.Test.Nodes, harmless(p.Test.Nemesis, 60)
	if p.Test.Schedule != "" {
		r.Nemesis = "a schedule"
	}
	if p.Test.Mutant != "" {
		r.System += " with " + harmless(p.Test.Mutant, 60)
	}
}

func (r *runInfo) take(res results) {
	r.State = string(res.Verdict)
	switch res.Verdict {
	case check.Pass, check.Violation, check.Unknown, check.Invalid:
	default:
		r.State, r.Why = stateDamaged, "This squall does not know its verdict "+harmless(fmt.Sprintf("%q", res.Verdict), 60)
	}
	if len(res.Reasons) > 0 {
		r.Why = harmless(res.Reasons[0], 300)
	}
	for _, t := range res.Thresholds {
		if !t.Met && res.Verdict == check.Pass {
			r.State, r.Why = stateMissed, harmless("missed: "+t.Text, 300)
			break
		}
	}
	if res.Stopped != "" {
		r.Stopped = harmless(res.Stopped, 100)
	}
	r.HasFigures = true
	r.Took, r.Throughput, r.OK = res.Ops.LoadSeconds, res.Ops.Throughput, res.Ops.OK
	r.Lost, r.Faults = max(len(res.Elections.Losses), res.Elections.LossCount), len(res.Faults)
}

// nameOf takes a run's folder name, <UTC time>-<seed>, apart.
func nameOf(name string) (started time.Time, seed string) {
	at, rest, _ := strings.Cut(name, "-")
	started, err := time.Parse("20060102T150405Z", at)
	if err != nil {
		return time.Time{}, ""
	}
	seed, _, _ = strings.Cut(rest, "-")
	return started, harmless(seed, 20)
}

// held reports whether the file's lock is held.
func (s *scanner) held(name string) bool {
	f, err := regular.OpenIn(s.root, name)
	if err != nil {
		return false
	}
	defer f.Close()
	return history.Held(f)
}

func (s *scanner) campaign(dir string, files map[string]bool, busy bool) campaignInfo {
	started, _ := nameOf(path.Base(dir))
	c := campaignInfo{Path: dir, Name: path.Base(path.Dir(dir)), Started: started, Page: files[reports.IndexFile], Trends: isFile(s.fs, path.Join(path.Dir(dir), reports.TrendsFile)), Counts: map[string]int{}}
	record, err := read[ledger.Campaign](s, path.Join(dir, ledger.FileName))
	if err != nil {
		c.State, c.Why = stateDamaged, harmless(err.Error(), 300)
		return c
	}
	c.Cells = len(record.Cells)
	for i := range record.Cells {
		last := record.Cells[i].Last()
		if record.Cells[i].State != ledger.Done || last == nil {
			continue
		}
		c.Done++
		verdict := string(last.Verdict)
		if last.Verdict == check.Pass && len(last.Missed) > 0 {
			verdict = stateMissed
		}
		c.Counts[verdict]++
	}
	switch {
	case !record.Ended.IsZero() && record.Stopped != "":
		c.State, c.Why, c.Took = "stopped", harmless(record.Stopped, 300), record.Ended.Sub(record.Began)
	case !record.Ended.IsZero():
		c.State, c.Took = "done", record.Ended.Sub(record.Began)
	case busy || files[campaignLock] && s.held(path.Join(dir, campaignLock)):
		c.State = stateRunning
	default:
		c.State, c.Why = stateUnfinished, "squall was killed before the campaign was over; the same command resumes it."
	}
	return c
}

// read is the JSON file as a T, read anew only when it has changed.
func read[T any](s *scanner, name string) (T, error) {
	var value T
	info, err := fs.Stat(s.fs, name)
	if err != nil {
		return value, err
	}
	if p := s.files[name]; p != nil && p.changed.Equal(info.ModTime()) && p.size == info.Size() {
		p.seen = true
		value, _ = p.value.(T)
		return value, p.err
	}
	err = decode(s.root, name, info, &value)
	if s.files == nil {
		s.files = map[string]*parsed{}
	}
	s.files[name] = &parsed{changed: info.ModTime(), size: info.Size(), value: value, err: err, seen: true}
	return value, err
}

func decode(root *os.Root, name string, info fs.FileInfo, into any) error {
	switch base := path.Base(name); {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", base)
	case info.Size() > maxJSON:
		return fmt.Errorf("%s is longer than %d MiB", base, maxJSON>>20)
	}
	f, err := regular.OpenIn(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxJSON))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", path.Base(name), err)
	}
	return nil
}

// harmless makes a text of a run short enough for a page, and harmless to read:
// characters that would hide or turn what stands beside them are shown as such.
func harmless(text string, most int) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f:
			return '\ufffd'
		}
		return r
	}, plain.Fit(text, most))
}

// class is the colour of a fault.
func class(f history.Fault) string { return string(measure.ClassOf(f.Name, f.Kind)) }
