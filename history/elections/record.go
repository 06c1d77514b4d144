// Package elections is the experiment of Figure 16 of the Raft paper: the record of
// its trials (elections.json), what each took, computed from the events of a
// history, their statistics, the paper's own figures, and a model of the
// experiment that needs no machines. It runs nothing and judges nothing.
package elections

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"squall/internal/atomicfile"
	"squall/internal/regular"
)

// FileName is the name of the record in a run directory.
const FileName = "elections.json"

// SchemaVersion is the version of elections.json.
const SchemaVersion = 1

// Millis is a length of time in milliseconds.
type Millis float64

// MillisOf converts nanoseconds.
func MillisOf(ns int64) Millis { return Millis(float64(ns) / 1e6) }

// Record is elections.json: the whole experiment.
type Record struct {
	SchemaVersion int      `json:"schemaVersion"`
	Squall        string   `json:"squall"`
	Command       string   `json:"command"` // repeats it
	System        string   `json:"system"`
	Runtime       string   `json:"runtime"` // what ran the machines, in words
	Nodes         []string `json:"nodes"`
	Seed          uint64   `json:"seed"`
	// Plain trials kill a leader from outside at any moment: no broadcast before,
	// and every survivor may win.
	Plain bool `json:"plain"`
	// PreVote is whether nodes asked first if they could win, and refused votes
	// against a leader that they still heard. The paper's servers did neither.
	PreVote bool `json:"preVote"`
	// Disk is what a write to the disk took beside its own time, if that was
	// slowed down.
	Disk *Spread `json:"disk,omitempty"`
	Net  Net     `json:"net"`

	Ranges      []Range `json:"ranges"`
	Interrupted bool    `json:"interrupted"` // stopped before every trial was made
}

// Spread is a time that is drawn uniformly between two bounds.
type Spread struct {
	Min Millis `json:"min"`
	Max Millis `json:"max"`
}

// Mean is its mean.
func (s Spread) Mean() Millis { return (s.Min + s.Max) / 2 }

// Net is what the links were made to be, and what was measured of them.
type Net struct {
	// Target is how long a broadcast was to take: from the leader's sending an
	// entry to all until all have answered that it is on their disks. 0: the
	// links were left alone.
	Target Millis `json:"target"`
	// OneWay is how late each packet was made.
	OneWay Spread `json:"oneWay"`
	// Bare are broadcasts over links and disks as they were, Broadcast those over
	// what was made of them; none in plain trials.
	Bare      Sample `json:"bare"`
	Broadcast Sample `json:"broadcast"`
}

// Sample sums up lengths of time.
type Sample struct {
	N   int    `json:"n"`
	Min Millis `json:"min"`
	P50 Millis `json:"p50"`
	P90 Millis `json:"p90"`
	P99 Millis `json:"p99"`
	Max Millis `json:"max"`
	// Mean is the arithmetic mean.
	Mean Millis `json:"mean"`
}

// Range is the trials of one range of election timeouts.
type Range struct {
	Min       Millis  `json:"min"` // a timeout is drawn uniformly from Min to Max
	Max       Millis  `json:"max"`
	Heartbeat Millis  `json:"heartbeat"` // half of Min
	Seconds   float64 `json:"seconds"`   // what all its trials took, the servers' start included
	Trials    []Trial `json:"trials"`
}

// Name writes a range as flags take it: 150-300ms.
func (r Range) Name() string { return fmt.Sprintf("%g-%gms", r.Min, r.Max) }

// Outcome is what a trial came to.
type Outcome string

// The outcomes of trials.
const (
	// Elected: a new leader was heard.
	Elected Outcome = "elected"
	// Undecided: none was heard within the limit; NoLeader is a lower bound.
	Undecided Outcome = "undecided"
	// Invalid: it was not the experiment; Why says what was wrong.
	Invalid Outcome = "invalid"
)

// Trial is one crash of a leader and what followed. Times are counted from the
// start of the test, in nanoseconds.
type Trial struct {
	Begin int64 `json:"begin"` // it was ordered
	End   int64 `json:"end"`   // what followed belongs to the next one

	Leader string   `json:"leader"`
	Term   uint64   `json:"term"`             // in which it led
	Behind []string `json:"behind,omitempty"` // whose logs were to be shorter
	// Asked is when the crash was to be, after the broadcast; 0 in plain trials.
	Asked Millis `json:"asked"`

	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"`
	Found
}

// Found is what the history's events tell of a trial.
type Found struct {
	Index uint64 `json:"index,omitempty"` // of the entry that only some got
	Crash int64  `json:"crash,omitempty"` // ns since the start of the test
	// Waited is the time from the broadcast to the crash as it was.
	Waited Millis `json:"waited,omitempty"`
	// Broadcast is from the proposal of the entry to its commit.
	Broadcast Millis `json:"broadcast,omitempty"`

	NewLeader string `json:"newLeader,omitempty"`
	NewTerm   uint64 `json:"newTerm,omitempty"`
	// NoLeader is from the crash to the first receipt of the new leader's first
	// message by another node: what the paper's figure shows. All is until every
	// survivor had it.
	NoLeader Millis `json:"noLeader"`
	All      Millis `json:"all,omitempty"`
	// Detection is from the crash to the first candidate, Election from there to
	// the leader, Won from the winner's timeout to NoLeader's end.
	Detection Millis `json:"detection,omitempty"`
	Election  Millis `json:"election,omitempty"`
	Won       Millis `json:"won,omitempty"`
	// Rounds are the terms in which somebody stood for election, Split those of
	// them that had several candidates and no winner.
	Rounds int `json:"rounds,omitempty"`
	Split  int `json:"split,omitempty"`
	// Late is by how much the candidates' timers were late, at most.
	Late Millis `json:"late,omitempty"`
	// Lengths are the last indexes of the survivors' logs, before they got
	// anything of the new leader's.
	Lengths map[string]uint64 `json:"lengths,omitempty"`
}

// Write puts the record into dir, whole or not at all.
func (r *Record) Write(dir string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, FileName), r)
}

// Read reads the record in dir.
func Read(dir string) (*Record, error) {
	path := filepath.Join(dir, FileName)
	text, err := regular.ReadFile(path, regular.MaxJSON)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no %s: it is not a run of `squall elections`", dir, FileName)
	}
	if err != nil {
		return nil, fmt.Errorf("read the elections: %w", err)
	}
	r, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// decode reads a record and refuses what no squall has written.
func decode(text []byte) (*Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if r.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("it has schema version %d; this squall reads %d", r.SchemaVersion, SchemaVersion)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	return &r, nil
}

// check refuses what no experiment has written: figures are made of a record
// that may have been edited.
func (r *Record) check() error {
	if n := len(r.Nodes); n < 3 || n > 99 {
		return fmt.Errorf("it names %d nodes", n)
	}
	if n := len(r.Ranges); n > maxRanges {
		return fmt.Errorf("it has %d ranges of timeouts, and %d at most are measured", n, maxRanges)
	}
	sane := func(s Spread) bool { return s.Min >= 0 && s.Max >= s.Min && s.Max <= 60_000 }
	if !sane(r.Net.OneWay) || r.Disk != nil && !sane(*r.Disk) || !sane(Spread{r.Net.Bare.P50, r.Net.Bare.P50}) {
		return errors.New("a delay of links or disks is out of range")
	}
	for _, rg := range r.Ranges {
		if !sane(Spread{rg.Min, rg.Max}) || rg.Min < MillisOf(int64(shortest)) {
			return fmt.Errorf("it has a range of timeouts from %g to %g ms", rg.Min, rg.Max)
		}
	}
	return nil
}

// maxRanges is how many ranges a record may have: for each the model works for a
// second or more.
const maxRanges = 100

// The bounds of timeouts.
const (
	shortest = 2 * time.Millisecond
	longest  = time.Minute
)

// ParseRange reads "150-300ms" or "12ms-24ms". The heartbeat is half the
// minimum, as in the paper.
func ParseRange(text string) (Range, error) {
	low, high, ok := strings.Cut(strings.TrimSpace(text), "-")
	if !ok {
		return Range{}, fmt.Errorf("%q is not a range of timeouts such as 150-300ms", text)
	}
	most, err := time.ParseDuration(high)
	if err != nil {
		return Range{}, fmt.Errorf("%q is not a range of timeouts such as 150-300ms: %w", text, err)
	}
	least, err := time.ParseDuration(low)
	if err != nil { // the unit is that of the end
		least, err = time.ParseDuration(low + strings.TrimLeft(high, "0123456789."))
	}
	if err != nil {
		return Range{}, fmt.Errorf("%q is not a range of timeouts such as 150-300ms: %w", text, err)
	}
	if least < shortest || most > longest || most < least {
		return Range{}, fmt.Errorf("%q: a range of timeouts ascends, from at least %v to at most %v", text, shortest, longest)
	}
	return Range{Min: MillisOf(int64(least)), Max: MillisOf(int64(most)), Heartbeat: MillisOf(int64(least)) / 2}, nil
}

// ParseRanges reads ranges with commas between.
func ParseRanges(text string) ([]Range, error) {
	var ranges []Range
	seen := map[string]bool{}
	for _, word := range strings.Split(text, ",") {
		r, err := ParseRange(word)
		if err != nil {
			return nil, err
		}
		if seen[r.Name()] {
			return nil, fmt.Errorf("the range %s occurs twice", r.Name())
		}
		seen[r.Name()] = true
		ranges = append(ranges, r)
	}
	if len(ranges) > maxRanges {
		return nil, fmt.Errorf("these are %d ranges; give %d at most", len(ranges), maxRanges)
	}
	return ranges, nil
}

// Duration converts to Go's kind of time.
func (m Millis) Duration() time.Duration { return time.Duration(float64(m) * 1e6) }
