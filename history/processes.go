package history

import "fmt"

// checkProcesses sees that every process ran one operation at a time, and none
// after one of unknown outcome. The operations are in the order of their calls;
// lost are those that were never completed in the file. Of those it is not known
// when their process went on: the answer may have been in what was cut off.
//
// On damage it returns the operation that cannot be.
func checkProcesses(ops []Op, lost map[openOp]bool) (*Op, error) {
	last := newLastByProcess(ops)
	for i := range ops {
		op := &ops[i]
		k := last.swap(op.Process, i)
		if k < 0 {
			continue
		}
		before := &ops[k]
		switch {
		case before.Call == op.Call:
			return op, fmt.Errorf("process %d calls two operations at %d ns: one was recorded twice", op.Process, op.Call)
		case lost[openOp{before.Process, before.Call}]:
		case before.Outcome == Info:
			return op, fmt.Errorf("process %d continues at %d ns, after its operation called at %d ns had ended with an unknown outcome: a process never does",
				op.Process, op.Call, before.Call)
		case op.Call < before.Return:
			return op, fmt.Errorf("process %d calls an operation at %d ns, while the one that it called at %d ns is under way until %d: it runs one at a time",
				op.Process, op.Call, before.Call, before.Return)
		}
	}
	return nil, nil
}

// lastByProcess is the index of each process's last operation. Processes are
// numbered from 0 on, with few gaps, in every history of ours: a list does then,
// which is what reading a million operations has time for.
type lastByProcess struct {
	dense  []int32
	sparse map[int64]int32
}

func newLastByProcess(ops []Op) *lastByProcess {
	most := int64(-1)
	for i := range ops {
		most = max(most, ops[i].Process)
	}
	if most > 4*int64(len(ops))+1024 {
		return &lastByProcess{sparse: make(map[int64]int32)}
	}
	l := &lastByProcess{dense: make([]int32, most+1)}
	for p := range l.dense {
		l.dense[p] = -1
	}
	return l
}

// swap makes i the last operation of a process and returns the one before; -1 when
// there was none.
func (l *lastByProcess) swap(process int64, i int) (before int) {
	if l.dense != nil {
		before = int(l.dense[process])
		l.dense[process] = int32(i)
		return before
	}
	k, known := l.sparse[process]
	l.sparse[process] = int32(i)
	if !known {
		return -1
	}
	return int(k)
}

// locate finds the last line of an operation in the file at path. It reads the
// file anew: the lines of a million operations are not worth remembering for the
// one that is damaged.
func locate(path string, op *Op) (line, frame, at int64) {
	r, err := Open(path)
	if err != nil {
		return 0, 0, 0
	}
	defer r.Close()
	for len(r.lines) > 0 || r.nextFrame() {
		rec, _, err := r.nextLine()
		if err != nil {
			break
		}
		if rec.Op != nil && rec.Op.Process == op.Process && rec.Op.Call == op.Call {
			line, frame, at = r.line, r.frames.frames-1, r.at
		}
	}
	return line, frame, at
}
