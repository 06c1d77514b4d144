package elsewhere

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"squall/history"
	"squall/history/objects"
)

// Export is what a history is written for others as.
type Export struct {
	// Key leaves out all operations but those of one key, and the key; nil: none.
	Key *string
	// Left is how many operations were left out, since nothing in the format can say them:
	// those that failed, in porcupine's.
	Left int
}

// chosen are the operations to be written, and whether they name keys.
func (x *Export) chosen(h *history.History) (ops []*history.Op, keyed bool, err error) {
	first := ""
	for i := range h.Ops {
		op := &h.Ops[i]
		if x.Key != nil && op.Key != *x.Key {
			continue
		}
		if len(ops) == 0 {
			first = op.Key
		}
		keyed = keyed || op.Key != first
		ops = append(ops, op)
	}
	if len(ops) == 0 {
		return nil, false, choice("there is no operation to be written")
	}
	return ops, keyed && x.Key == nil, nil
}

// EDN writes a history as operation maps, one a line, as Jepsen, Knossos and Elle read it. A
// history of several keys names them as jepsen.independent does, in tuples [key value].
func (x *Export) EDN(w io.Writer, h *history.History) error {
	ops, keyed, err := x.chosen(h)
	if err != nil {
		return err
	}
	out := ednWriter{w: bufio.NewWriter(w), mono: h.Mono, keyed: keyed}
	out.apart = !slices.ContainsFunc(ops, func(op *history.Op) bool {
		locks := op.Func == objects.Acquire || op.Func == objects.Release
		return op.Func == history.Read || op.Func == history.CAS || locks && op.In == ""
	})
	var events []ednEvent
	for _, op := range ops {
		value, answer, err := out.values(op, h.Functions)
		if err != nil {
			return err
		}
		begin := ednEvent{key: out.key(op), at: op.Call, process: strconv.FormatInt(op.Process, 10), typ: typeInvoke, f: string(op.Func), value: value}
		end := begin
		end.at, end.order, end.typ, end.value, end.err = max(op.Return, op.Call), 1, string(op.Outcome), value, quoteEDN(op.Error)
		if op.Outcome == history.OK {
			end.typ, end.value, end.err = answer.typ, answer.value, answer.err
		} else if op.Error == "" {
			end.err = ""
		}
		if events = append(events, begin); op.Error != history.ErrorUnderWay {
			events = append(events, end)
		}
	}
	for i := range h.Faults {
		events = append(events, nemesisEvent(&h.Faults[i]))
	}
	// Of what happened at one time, calls stand first: then they overlap, as they do here.
	slices.SortStableFunc(events, func(a, b ednEvent) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	for i := range events {
		out.event(&events[i], i)
	}
	return out.w.Flush()
}

// ednEvent is a line to be written.
type ednEvent struct {
	at                          int64
	order                       int
	process, typ, f, value, err string
	key                         string // "" for none, or where it is in the value
}

func nemesisEvent(f *history.Fault) ednEvent {
	word := "start-"
	if f.Phase == history.Heal {
		word = "stop-"
	}
	value := "nil"
	if f.Detail != "" {
		value = quoteEDN(f.Detail)
	}
	return ednEvent{at: f.Begin, process: ":nemesis", typ: typeInfo, f: word + f.Name, value: value}
}

type ednWriter struct {
	w     *bufio.Writer
	mono  int64
	keyed bool
	// apart says that keys are written as :key, where nothing tells tuples from values: see
	// independent.
	apart bool
}

// key is the key of an operation as :key; "" for none.
func (o *ednWriter) key(op *history.Op) string {
	if !o.keyed || !o.apart || op.Key == "" {
		return ""
	}
	return atom(op.Key)
}

func (o *ednWriter) event(e *ednEvent, index int) {
	fmt.Fprintf(o.w, "{:type :%s, :f :%s, :value %s, :time %d, :process %s, :index %d", e.typ, e.f, e.value, e.at-o.mono, e.process, index)
	if e.key != "" {
		fmt.Fprintf(o.w, ", :key %s", e.key)
	}
	if e.err != "" {
		fmt.Fprintf(o.w, ", :error %s", e.err)
	}
	o.w.WriteString("}\n") // the writer keeps its first error for Flush
}

// answer is how an operation that was answered ends.
type answer struct{ typ, value, err string }

// values are what an operation was called with and how it ended, in EDN.
func (o *ednWriter) values(op *history.Op, functions history.Functions) (value string, a answer, err error) {
	value, a, err = inEDN(op, functions)
	if err != nil {
		return "", a, err
	}
	if a.typ == "" {
		a.typ = typeOK
	}
	if a.value == "" {
		a.value = value
	}
	if o.keyed && !o.apart && op.Key != "" {
		key := atom(op.Key)
		value, a.value = "["+key+" "+value+"]", "["+key+" "+a.value+"]"
	}
	return value, a, nil
}

// inEDN is one operation in EDN.
func inEDN(op *history.Op, functions history.Functions) (value string, a answer, err error) {
	switch {
	case op.Func == objects.Txn || op.Func == history.Read && op.In != "":
		return transaction(op)
	case op.Func == history.Read && functions.Have(objects.Add):
		return "nil", answer{value: plainEDN(op.Out)}, nil
	case op.Func == history.Read:
		return "nil", answer{value: dataEDN(op.Out)}, nil
	case op.Func == history.Write:
		return dataEDN(op.In), answer{}, nil
	case op.Func == history.Delete:
		return "nil", answer{}, nil
	case op.Func == history.CAS:
		if op.Outcome == history.OK && !op.Swapped() {
			a = answer{typ: typeFail, err: "[:found " + dataEDN(op.Out.At("found")) + "]"}
		}
		return "[" + dataEDN(op.In.At("0")) + " " + dataEDN(op.In.At("1")) + "]", a, nil
	case op.Func == objects.Add:
		return plainEDN(op.In), answer{}, nil
	case op.Func == objects.Acquire || op.Func == objects.Release:
		return lockEDN(op)
	case op.Func == objects.Get:
		return "nil", answer{value: plainEDN(op.Out)}, nil
	case op.Func == objects.Dequeue:
		return "nil", answer{value: plainEDN(op.Out)}, nil
	case op.Func == objects.Put || op.Func == objects.Append || op.Func == objects.Enqueue:
		return plainEDN(op.In), answer{}, nil
	}
	return "", a, choice("the operation %s has no counterpart in EDN that other tools know", history.Show(string(op.Func)))
}

func lockEDN(op *history.Op) (value string, a answer, err error) {
	if op.Func == objects.Release {
		if op.In == "" {
			return "nil", a, nil
		}
		if op.Out == history.False {
			a = answer{typ: typeFail, err: ":not-held"}
		}
		return plainEDN(op.In), a, nil
	}
	if op.In == "" {
		return "nil", a, nil
	}
	value = plainEDN(op.In)
	if holder, held := op.Out.Text(); held {
		return value, answer{typ: typeFail, err: "[:held " + quoteEDN(holder) + "]"}, nil
	}
	return value, answer{value: "[" + value + " " + plainEDN(op.Out) + "]"}, nil
}

func transaction(op *history.Op) (value string, a answer, err error) {
	all := func(d history.Data) string {
		var ops []string
		for e := range d.Elements() {
			word, _ := e.At("0").Text()
			key, _ := e.At("1").Text()
			what := e.At("2")
			text := dataEDN(what)
			if objects.IsList(what) {
				var list []string
				for element := range what.Elements() {
					list = append(list, dataEDN(element))
				}
				text = "[" + strings.Join(list, " ") + "]"
			}
			ops = append(ops, "[:"+word+" "+atom(key)+" "+text+"]")
		}
		return "[" + strings.Join(ops, " ") + "]"
	}
	value = all(op.In)
	if op.Outcome == history.OK {
		a.value = all(op.Out)
	}
	return value, a, nil
}

// dataEDN is a value of a register: a text is a number where it is one, as most are, since
// other tools write numbers.
func dataEDN(d history.Data) string {
	if s, isText := d.Text(); isText {
		return atom(s)
	}
	return plainEDN(d)
}

// atom is a name as read back by value.name: another one for each other name.
func atom(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return s
	}
	return quoteEDN(s)
}

// plainEDN is data in EDN, strings as strings.
func plainEDN(d history.Data) string {
	if d == "" {
		return "nil"
	}
	return fromData(d).String()
}

// Porcupine writes a history as a JSON list of operations, which encoding/json reads into
// []porcupine.Operation: {"ClientId":…, "Input":{"f":…, "key":…, "in":…}, "Call":…,
// "Output":{"outcome":…, "out":…}, "Return":…}. Operations that certainly had no effect are
// left out. One of unknown outcome has "info", and returns at the end of time.
func (x *Export) Porcupine(w io.Writer, h *history.History) error {
	ops, _, err := x.chosen(h)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	begin := "[\n"
	for _, op := range ops {
		if op.Outcome == history.Fail {
			x.Left++
			continue
		}
		o := porcupineOp{ClientID: op.Process, Call: op.Call - h.Mono, Return: max(op.Call, op.Return) - h.Mono,
			Input: porcupineInput{Func: string(op.Func), Key: op.Key, In: json.RawMessage(op.In)}, Output: porcupineOutput{Outcome: string(op.Outcome), Out: json.RawMessage(op.Out)}}
		if op.Outcome != history.OK {
			o.Return = math.MaxInt64
		}
		line, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("encode an operation: %w", err)
		}
		fmt.Fprintf(out, "%s%s", begin, shown(string(line)))
		begin = ",\n"
	}
	if begin == "[\n" {
		return choice("there is no operation to be written: all failed")
	}
	out.WriteString("\n]\n") // the writer keeps its first error for Flush
	return out.Flush()
}
