package history

import "fmt"

// checkProcesses sees that every process ran one operation at a time, and none
// after one of unknown outcome. The operations are in the order of their calls;
// lost are those that were never completed in the file. Of those it is not known
// when their process went on: the answer may have been in what was cut off.
//
// On damage it returns the operation that cannot be.
func checkProcesses(ops []Op, lost map[openOp]bool) (*Op, error) {
	last := make(map[int64]int) // by process
	for i := range ops {
		op := &ops[i]
		k, known := last[op.Process]
		last[op.Process] = i
		if !known {
			continue
		}
		before := &ops[k]
		switch {
		case before.Call == op.Call:
			return op, fmt.Errorf("process %d calls two operations at %d ns: one was recorded twice", op.Process, op.Call)
		case lost[openOp{before.Process, before.Call}]:
		case before.Outcome == Info:
			return op, fmt.Errorf("process %d goes on at %d ns, after its operation called at %d ns had ended with an unknown outcome: a process never does",
				op.Process, op.Call, before.Call)
		case op.Call < before.Return:
			return op, fmt.Errorf("process %d calls an operation at %d ns, while the one that it called at %d ns is under way until %d: it runs one at a time",
				op.Process, op.Call, before.Call, before.Return)
		}
	}
	return nil, nil
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
