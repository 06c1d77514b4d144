package crash

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"squall/nodeimage/disk"
)

// Disk is where the journal of a node's disk is: files, one after the other.
type Disk struct {
	Node     string
	Journals []string
	// Names says when names are durable. The zero value is what POSIX promises.
	Names disk.NameRule
}

// walk follows the journal of a node.
type walk struct {
	disk  Disk
	model *disk.Model
	whole bool

	file   *os.File // nil: none is open
	reader *disk.Reader
	opened int      // so many of the journals
	ahead  *disk.Op // read, and not done yet
	begins bool     // with it another journal begins
	done   int64    // operations that were
}

// newWalk begins before the first operation. whole is for who makes images.
func newWalk(d Disk, whole bool) *walk {
	return &walk{disk: d, whole: whole, model: disk.NewModel(disk.Options{Whole: whole, Names: d.Names})}
}

func (w *walk) close() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// peek is the next operation; nil when there is none.
func (w *walk) peek() (*disk.Op, error) {
	for w.ahead == nil {
		if w.file == nil {
			if w.opened == len(w.disk.Journals) {
				return nil, nil
			}
			if err := w.open(w.disk.Journals[w.opened]); err != nil {
				return nil, err
			}
			w.opened++
		}
		op, err := w.reader.Next()
		switch {
		case err == io.EOF, errors.Is(err, disk.ErrCut):
			w.close()
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", w.file.Name(), err)
		}
		w.ahead = &op
	}
	return w.ahead, nil
}

func (w *walk) open(path string) (err error) {
	if w.file, err = os.Open(path); err != nil {
		return fmt.Errorf("open the journal of %s: %w", w.disk.Node, err)
	}
	w.reader = disk.NewReader(bufio.NewReaderSize(w.file, 1<<20))
	w.begins = true
	return nil
}

// step does the next operation; done is false when there is none, or it is later than a time, ns. after
// is called when it was done, and may be nil.
func (w *walk) step(until int64, after func(*disk.Op)) (done bool, err error) {
	op, err := w.peek()
	if err != nil || op == nil || op.At > until {
		return false, err
	}
	if w.begins { // operations count from 1 in each file
		w.model, w.begins = disk.NewModel(disk.Options{Whole: w.whole, Names: w.disk.Names}), false
	}
	w.ahead = nil
	w.done++
	if err := w.model.Apply(op); err != nil {
		return false, fmt.Errorf("the journal of %s, operation %d: %w", w.disk.Node, w.done, err)
	}
	if after != nil {
		after(op)
	}
	return true, nil
}

// advance does all operations up to a time, ns.
func (w *walk) advance(until int64) error {
	for {
		if done, err := w.step(until, nil); err != nil || !done {
			return err
		}
	}
}

// walks are those of all nodes, at one moment.
type walks []*walk

func newWalks(disks []Disk) walks {
	var all walks
	for _, d := range disks {
		all = append(all, newWalk(d, true))
	}
	return all
}

func (ws walks) close() {
	for _, w := range ws {
		w.close()
	}
}

func (ws walks) advance(until int64) error {
	for _, w := range ws {
		if err := w.advance(until); err != nil {
			return err
		}
	}
	return nil
}

// fullSlack is how much shorter than its bound a journal may be that had no room for an operation.
const fullSlack = 2 << 20

// believed is when the first journal that had no more room tells of its last operation, ns; 0: none is so
// long.
func believed(disks []Disk, limit int64) (until int64, err error) {
	for _, d := range disks {
		for _, path := range d.Journals {
			info, err := os.Stat(path)
			if err != nil {
				return 0, err
			}
			if limit == 0 || info.Size() < limit-min(fullSlack, limit/2) {
				continue
			}
			last, err := lastTime(Disk{Node: d.Node, Journals: []string{path}})
			if err != nil {
				return 0, err
			}
			if until == 0 || last < until {
				until = last
			}
		}
	}
	return until, nil
}

// lastTime is when the last operation of a journal was done, ns.
func lastTime(d Disk) (at int64, err error) {
	w := newWalk(d, false)
	defer w.close()
	for {
		op, err := w.peek()
		if err != nil || op == nil {
			return at, err
		}
		at, w.ahead = op.At, nil
	}
}
