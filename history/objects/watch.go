package objects

import (
	"errors"
	"fmt"
	"strconv"

	"squall/history"
)

// Watch is the function that observes what is written below a prefix.
const Watch history.Func = "watch"

// WatchFunctions are the functions of the check "watch".
//
//   - write stores a value, a string that is unique in the test, and answers with the
//     revision at which it did.
//   - txn takes a list of pairs [key, value], stores them all at one revision, and answers
//     with that.
//   - watch takes a WatchRequest; its key is a prefix. It answers with a WatchAnswer.
//
// Revisions are numbers from 1 on that are common to all keys: each write has one of its
// own, and one that takes effect later has a higher one.
func WatchFunctions() history.Functions {
	return history.Functions{
		{Name: history.Write, Text: "write({key}) ← {in}", Answer: " at revision {out}"},
		{Name: Txn, Text: "txn {in}", Answer: " at revision {out}"},
		{Name: Watch, Reads: true, Text: "watch({key}) from {in.from}", Answer: " → {out.events}, up to before {out.next}"},
	}
}

// WatchRequest asks for the events of a prefix from a revision on.
type WatchRequest struct {
	// As names the watcher. Whoever carries out its requests keeps one watch open for
	// it below them, as long as each goes on where the answer before it ended.
	As   string
	From int64 // the first revision that is asked for
	// Most is after how many events an answer ends at the latest, but for those that
	// have the revision of its last.
	Most int
	// WaitMs is how long an event or news of the revision is waited for, ms. When
	// there was neither, nothing is known, and the operation fails.
	WaitMs int64
	// Until, when it is not 0, has an answer wait for everything up to this revision.
	Until int64
}

// Data is the request as an operation has it:
// {"as":"w1","from":17,"most":500,"waitMs":100,"until":40}.
func (r WatchRequest) Data() history.Data {
	buf := append([]byte(`{"as":`), history.Text(r.As)...)
	buf = strconv.AppendInt(append(buf, `,"from":`...), r.From, 10)
	buf = strconv.AppendInt(append(buf, `,"most":`...), int64(r.Most), 10)
	buf = strconv.AppendInt(append(buf, `,"waitMs":`...), r.WaitMs, 10)
	if r.Until != 0 {
		buf = strconv.AppendInt(append(buf, `,"until":`...), r.Until, 10)
	}
	return history.Data(append(buf, '}'))
}

// ParseWatchRequest reads what a watch was asked for.
func ParseWatchRequest(d history.Data) (r WatchRequest, err error) {
	if d == "" || d[0] != '{' {
		return r, fmt.Errorf(`a watch without its "i", an object: it is %s`, Brief(d))
	}
	for name, value := range d.Fields() {
		ok := true
		most := int64(0)
		switch name {
		case "as":
			r.As, ok = value.Text()
		case "from":
			r.From, ok = revisionNumber(value)
		case "most":
			most, ok = revisionNumber(value)
			r.Most = int(most)
		case "waitMs":
			r.WaitMs, ok = revisionNumber(value)
		case "until":
			r.Until, ok = revisionNumber(value)
		}
		if !ok {
			return r, fmt.Errorf(`a watch whose %s is %s`, history.Show(name), Brief(value))
		}
	}
	if r.From < 1 {
		return r, errors.New(`a watch without "from", the revision at which it begins, 1 or more`)
	}
	return r, nil
}

// Event is what a watch tells of one key.
type Event struct {
	Revision int64
	Key      string
	Value    history.Data // that was stored
}

// WatchAnswer says that what was written from the request's From to before Next are these
// events and no others, by revision.
type WatchAnswer struct {
	Next   int64 // where the next request goes on; the request's From when nothing is known
	Events []Event
	// Compacted says that the system no longer has what was asked for, and that
	// nothing is known of what was before Next.
	Compacted bool
}

// Data is the answer as an operation has it: {"next":41,"events":[[17,"w/1","5"]]}.
func (a WatchAnswer) Data() history.Data {
	buf := strconv.AppendInt([]byte(`{"next":`), a.Next, 10)
	buf = append(buf, `,"events":[`...)
	for i, e := range a.Events {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = strconv.AppendInt(append(buf, '['), e.Revision, 10)
		buf = append(append(buf, ','), history.Text(e.Key)...)
		buf = append(append(append(buf, ','), e.Value...), ']')
	}
	buf = append(buf, ']')
	if a.Compacted {
		buf = append(buf, `,"compacted":true`...)
	}
	return history.Data(append(buf, '}'))
}

// ParseWatchAnswer reads what a watch answered into a, whose room for events it uses.
func ParseWatchAnswer(d history.Data, a *WatchAnswer) error {
	*a = WatchAnswer{Events: a.Events[:0]}
	if d == "" || d[0] != '{' {
		return fmt.Errorf(`a watch that was answered without its "o", an object: it is %s`, Brief(d))
	}
	for name, value := range d.Fields() {
		switch name {
		case "next":
			next, ok := revisionNumber(value)
			if !ok {
				return fmt.Errorf("a watch that was answered with the next revision %s", Brief(value))
			}
			a.Next = next
		case "compacted":
			a.Compacted = value == history.True
		case "events":
			if !IsList(value) {
				return fmt.Errorf("a watch that was answered with events that are no list: %s", Brief(value))
			}
			for text := range value.Elements() {
				e, ok := parseEvent(text)
				if !ok {
					return fmt.Errorf("a watch that was answered with an event that is not [revision, key, value]: %s", Brief(text))
				}
				a.Events = append(a.Events, e)
			}
		}
	}
	if a.Next < 1 {
		return errors.New(`a watch that was answered without "next", the revision at which the next one goes on`)
	}
	return nil
}

func parseEvent(d history.Data) (e Event, ok bool) {
	if !IsList(d) {
		return e, false
	}
	n := 0
	for part := range d.Elements() {
		switch n {
		case 0:
			if e.Revision, ok = revisionNumber(part); !ok || e.Revision < 1 {
				return e, false
			}
		case 1:
			if e.Key, ok = part.Text(); !ok {
				return e, false
			}
		case 2:
			e.Value = part
		}
		n++
	}
	return e, n == 3
}

// ParseRevision reads the revision with which a write was answered.
func ParseRevision(d history.Data) (int64, bool) {
	n, ok := revisionNumber(d)
	return n, ok && n > 0
}

// revisionNumber reads a number from 0 on.
func revisionNumber(d history.Data) (int64, bool) {
	n, err := WholeNumber(d)
	return n, err == nil && n >= 0
}

// WritePairs are the data of a txn.
func WritePairs(pairs ...[2]string) history.Data {
	list := make([]history.Data, len(pairs))
	for i, p := range pairs {
		list[i] = history.List(history.Text(p[0]), history.Text(p[1]))
	}
	return history.List(list...)
}

// ParsePairs reads the data of a txn.
func ParsePairs(d history.Data) (pairs [][2]string, err error) {
	if !IsList(d) {
		return nil, fmt.Errorf(`a txn without its "i", a list of pairs: it is %s`, Brief(d))
	}
	for e := range d.Elements() {
		var pair [2]string
		n, ok := 0, IsList(e)
		for part := range e.Elements() {
			if n < 2 && ok {
				pair[n], ok = part.Text()
			}
			n++
		}
		if !ok || n != 2 {
			return nil, fmt.Errorf("a txn with what is not a pair [key, value]: %s", Brief(e))
		}
		pairs = append(pairs, pair)
	}
	if len(pairs) == 0 {
		return nil, errors.New("a txn that writes nothing")
	}
	return pairs, nil
}
