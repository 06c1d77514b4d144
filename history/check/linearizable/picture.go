package linearizable

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"html"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/atomicfile"
)

// picture draws the operations of a witness, with the faults at that time, as
// porcupine's HTML page, and returns the name of the file in the run directory.
//
// Only these few operations are drawn: a picture of a whole key takes megabytes
// and shows nothing. They are searched again for it, to the end, because
// porcupine draws nothing sensible from a search that was stopped.
//
// Operations beside the witness are drawn in grey, as annotations: they are none
// of what cannot be ordered.
//
// start tells what the object held where the witness begins in the middle.
func picture(w *watch, in *check.Input, key, start string, witness minimal, beside []*history.Op, deadline time.Time) (string, error) {
	from, to := window(slices.Concat(witness.ops, beside))
	model, ops := witness.part.porcupine()
	model.DescribeOperation = func(input, _ any) string { return check.Describe(in.Functions, input.(shown).operation()) }
	// Porcupine puts these two into the page as HTML.
	model.DescribeState = func(state any) string {
		return html.EscapeString(witness.part.showState(state))
	}
	model.DescribeOperationMetadata = func(data any) string {
		op := data.(*history.Op)
		return html.EscapeString(fmt.Sprintf("process %d on %s, %s, called at %.6f s", op.Process, op.Node, op.Outcome, float64(op.Call-in.Mono)/1e9))
	}
	rows := processRows(slices.Concat(witness.ops, beside))
	for i := range ops {
		op := ops[i].Input.(shown).operation()
		ops[i].ClientId = rows[op.Process]
		ops[i].Metadata = op
		ops[i].Call -= in.Mono
		// An unknown outcome reaches to the end of the picture.
		ops[i].Return = min(ops[i].Return, to) - in.Mono
	}
	found := w.run(model, ops, deadline, true)
	if found.result != porcupine.Illegal {
		return "", fmt.Errorf("porcupine's answer to the witness was %q", found.result)
	}
	found.info.AddAnnotations(faultBands(in, from, to))
	found.info.AddAnnotations(besideBands(in, beside, rows, to))
	if at, taken := witness.part.begins(); taken {
		found.info.AddAnnotations([]porcupine.Annotation{{Tag: "start", Start: min(at, to) - in.Mono, End: min(at, to) - in.Mono + 1,
			Description: "taken up here, " + start}})
	}
	var page bytes.Buffer
	if err := visualize(model, found.info, &page); err != nil {
		return "", err
	}
	name := "violation-" + fileName(key) + ".html"
	return name, atomicfile.Write(filepath.Join(in.Dir, name), page.Bytes(), 0o644)
}

// showState describes a state of the register's model: a value, or a set of them
// where it is not known which it holds.
func (r *register) showState(state any) string {
	if set, is := state.([]any); is {
		if len(set) > len(r.values) {
			return "anything"
		}
		var names []string
		for _, s := range set {
			names = append(names, r.showState(s))
		}
		return strings.Join(names, " or ")
	}
	switch n := state.(int32); {
	case n == absent:
		return "nothing"
	case int(n) == len(r.values):
		return "something else"
	default:
		return r.values[n].Show()
	}
}

// besideBands are operations beside the witness.
func besideBands(in *check.Input, beside []*history.Op, rows map[int64]int, to int64) []porcupine.Annotation {
	var bands []porcupine.Annotation
	for _, op := range beside {
		end := op.Return
		if op.Outcome == history.Info {
			end = to
		}
		bands = append(bands, porcupine.Annotation{
			ClientId:        rows[op.Process],
			Start:           op.Call - in.Mono,
			End:             max(op.Call, end) - in.Mono,
			Description:     "beside: " + check.Describe(in.Functions, op),
			Details:         fmt.Sprintf("process %d on %s, %s", op.Process, op.Node, op.Outcome),
			TextColor:       "#000000",
			BackgroundColor: "#DDDDDD",
		})
	}
	return bands
}

// visualize is porcupine.Visualize with its panics made errors.
func visualize(model porcupine.Model, info porcupine.LinearizationInfo, page *bytes.Buffer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("porcupine cannot draw it: %v", p)
		}
	}()
	return porcupine.Visualize(model, info, page)
}

// window is the time that the witness spans, with some room at its end so that
// an operation of unknown outcome is seen to be open.
func window(witness []*history.Op) (from, to int64) {
	from = witness[0].Call
	for _, op := range witness {
		from = min(from, op.Call)
		to = max(to, op.Call, op.Return)
	}
	return from, to + 1
}

// processRows gives each process a row, from 0, in the order of their numbers.
func processRows(witness []*history.Op) map[int64]int {
	var processes []int64
	for _, op := range witness {
		processes = append(processes, op.Process)
	}
	slices.Sort(processes)
	rows := make(map[int64]int)
	for i, p := range slices.Compact(processes) {
		rows[p] = i
	}
	return rows
}

// faultBands are the faults that were in force between from and to.
func faultBands(in *check.Input, from, to int64) []porcupine.Annotation {
	heals := make(map[int]int64)
	for _, f := range in.Faults {
		if f.Phase == history.Heal {
			heals[f.ID] = max(f.Begin, f.End)
		}
	}
	var bands []porcupine.Annotation
	for _, f := range in.Faults {
		if f.Phase != history.Inject {
			continue
		}
		end, healed := heals[f.ID]
		if !healed {
			end = to
		}
		if f.Begin > to || end < from {
			continue
		}
		text := strings.Join(slices.DeleteFunc([]string{f.Name, f.Variant, strings.Join(f.Targets, " ")},
			func(s string) bool { return s == "" }), " ")
		bands = append(bands, porcupine.Annotation{
			Tag:             "fault: " + f.Name,
			Start:           max(f.Begin, from) - in.Mono,
			End:             min(end, to) - in.Mono,
			Description:     text,
			Details:         strings.TrimSpace(text + " " + f.Detail),
			TextColor:       "#000000",
			BackgroundColor: fmt.Sprintf("#%06X", measure.ClassOf(f.Name, f.Kind).Color()),
		})
	}
	slices.SortStableFunc(bands, func(a, b porcupine.Annotation) int { return cmp.Compare(a.Start, b.Start) })
	return bands
}

// fileName makes of a key, which may hold anything, a part of a file's name
// that is harmless everywhere. Different keys get different names.
func fileName(key string) string {
	const limit = 48
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, key[:min(len(key), limit)])
	if safe == key && key != "" {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("%s-%x", safe, sum[:4])
}
