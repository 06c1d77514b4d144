package export

import (
	"encoding/csv"
	"io"
	"strconv"

	"squall/history"
)

// columns of a table of operations.
var columns = []string{"process", "node", "function", "key", "in", "out", "outcome", "error", "final", "call_ns", "return_ns"}

// CSV writes the operations of a history as a table with a row of names, by time of call.
// In and out are JSON, as in the history; times are ns since the start of the test.
func CSV(w io.Writer, h *history.History) error {
	table := csv.NewWriter(w)
	if err := table.Write(columns); err != nil {
		return err
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		if err := table.Write([]string{
			strconv.FormatInt(op.Process, 10), printable(op.Node), string(op.Func), printable(op.Key), string(op.In), string(op.Out),
			string(op.Outcome), printable(op.Error), strconv.FormatBool(op.Final),
			strconv.FormatInt(since(h, op.Call), 10), strconv.FormatInt(since(h, op.Return), 10),
		}); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}
