package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"squall/history/check"
	"squall/nodeimage/disk"
)

// Names in a run directory.
const (
	Folder     = "crash"         // what the farm writes
	RecordFile = "results.jsonl" // within it: a line for each state that was judged
	Violations = "violations"    // within it: a folder for each state that is a violation, by its ID
	StateFile  = "state.json"    // within that: the state, and what it came to
)

// RecordVersion is the version of the record.
const RecordVersion = 3

// Head is the first line of the record: what must be the same for going on.
type Head struct {
	Version int    `json:"version"`
	Squall  string `json:"squall"`
	Seed    uint64 `json:"seed"`
	Binary  string `json:"binary"`  // of the node that is booted
	Moments int    `json:"moments"` // that are worth a try
	// Journaled says that an fsync makes all names durable that were given before (disk.Journaled).
	Journaled bool `json:"journaled,omitempty"`
}

// Result is a state and what it came to.
type Result struct {
	State
	Judged
	Lost map[string]disk.Loss `json:"lost,omitempty"` // of a state that did not pass, by node
	Took time.Duration        `json:"took"`           // to boot it and to look at it, ns
}

// line is one of the record: one of the three.
type line struct {
	Farm   *Head   `json:"farm,omitempty"`
	Result *Result `json:"result,omitempty"`
	Done   *part   `json:"done,omitempty"`
}

// part is some of the states of a moment.
type part struct {
	At   int64 `json:"at"`
	From int   `json:"from"` // variants from this
}

// Record is what was judged, and a file that keeps it.
type Record struct {
	Head    Head
	Results []Result

	known map[string]bool // IDs
	parts map[part]bool
	file  *os.File
}

// OtherFarmError says that a record cannot be gone on with.
type OtherFarmError struct{ Path, Why string }

func (e *OtherFarmError) Error() string {
	return fmt.Sprintf("%s is of another farm: %s; begin anew with --fresh, which removes it", e.Path, e.Why)
}

// OpenRecord opens the record of a run directory to go on with, or begins one. The last line of one that was cut short
// is dropped.
func OpenRecord(dir string, head Head, fresh bool) (*Record, error) {
	folder := filepath.Join(dir, Folder)
	if fresh {
		if err := os.RemoveAll(folder); err != nil {
			return nil, fmt.Errorf("begin anew: %w", err)
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("keep the record: %w", err)
	}
	path := filepath.Join(folder, RecordFile)
	r, whole, err := readRecord(path)
	if err != nil {
		return nil, err
	}
	if r.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644); err != nil {
		return nil, fmt.Errorf("keep the record: %w", err)
	}
	if err := errors.Join(r.file.Truncate(whole), seek(r.file, whole)); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the record: %w", err), r.file.Close())
	}
	if whole == 0 {
		r.Head = head
		return r, r.append(line{Farm: &head})
	}
	if why := r.Head.differs(head); why != "" {
		return nil, errors.Join(&OtherFarmError{path, why}, r.file.Close())
	}
	return r, nil
}

func seek(f *os.File, at int64) error {
	_, err := f.Seek(at, 0)
	return err
}

// ReadRecord reads the record of a run directory; one without results where there is none.
func ReadRecord(dir string) (*Record, error) {
	r, _, err := readRecord(filepath.Join(dir, Folder, RecordFile))
	return r, err
}

func readRecord(path string) (r *Record, whole int64, err error) {
	r = &Record{known: map[string]bool{}, parts: map[part]bool{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the record: %w", err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	for number := 1; ; number++ {
		text, err := in.ReadBytes('\n')
		if err != nil { // the end, or a line that was cut
			return r, whole, nil
		}
		var l line
		if err := json.Unmarshal(bytes.TrimSpace(text), &l); err != nil {
			return nil, 0, fmt.Errorf("%s, line %d: %w", path, number, err)
		}
		if (number == 1) != (l.Farm != nil) {
			return nil, 0, fmt.Errorf("%s, line %d: it is no record of states", path, number)
		}
		r.take(l)
		whole += int64(len(text))
	}
}

func (r *Record) take(l line) {
	switch {
	case l.Farm != nil:
		r.Head = *l.Farm
	case l.Result != nil:
		r.Results = append(r.Results, *l.Result)
		r.known[l.Result.ID] = true
	case l.Done != nil:
		r.parts[*l.Done] = true
	}
}

func (h Head) differs(now Head) string {
	switch {
	case h.Version != now.Version:
		return fmt.Sprintf("its version is %d, this squall's %d", h.Version, now.Version)
	case h.Seed != now.Seed:
		return fmt.Sprintf("its seed is %d and not %d", h.Seed, now.Seed)
	case h.Binary != now.Binary:
		return "the node is another"
	case h.Journaled != now.Journaled:
		return "it reads names otherwise (--names)"
	case h.Moments != now.Moments:
		return "the journals are others"
	}
	return ""
}

// append writes a line, and takes it.
func (r *Record) append(l line) error {
	text, err := json.Marshal(l)
	if err == nil {
		_, err = r.file.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the record: %w", err)
	}
	r.take(l)
	return nil
}

// Close closes the file.
func (r *Record) Close() error { return r.file.Close() }

// Find is the result of a state, by its ID or the beginning of it: of a violation that was made smaller, that one.
func (r *Record) Find(dir, id string) (*Result, error) {
	var found []Result
	for i := range r.Results {
		if one := &r.Results[i]; len(id) >= 4 && len(one.ID) >= len(id) && one.ID[:len(id)] == id {
			found = append(found, *one)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d states of this farm have an ID that begins with %q (see %s)", len(found), id, filepath.Join(dir, Folder, RecordFile))
	}
	return &found[0], nil
}

// violations are the results that are one.
func (r *Record) violations() (list []*Result) {
	for i := range r.Results {
		if r.Results[i].Verdict == check.Violation {
			list = append(list, &r.Results[i])
		}
	}
	return list
}
