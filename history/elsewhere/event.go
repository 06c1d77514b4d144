package elsewhere

import (
	"io"
	"slices"

	"squall/internal/plain"
)

// The types of events, by Jepsen's names.
const (
	typeInvoke = "invoke"
	typeOK     = "ok"
	typeFail   = "fail"
	typeInfo   = "info"
)

// event is one operation map: a call, how it ended, or something that the nemesis did.
type event struct {
	line    int32
	typ     string
	f       string
	process int64
	nemesis bool
	timed   bool
	time    int64 // ns
	// What the map has for these; nil: nothing.
	value, key, err *value
}

// events reads the events of a history, one by one; errNothing at the end.
type events interface{ next() (event, error) }

const mostProcess = 1 << 53 // what other tools can hold exactly

// names holds one copy of each word that comes again and again.
type names map[string]string

func (n names) one(s string) string {
	if have, ok := n[s]; ok {
		return have
	}
	const most = 1000
	if len(n) < most {
		n[s] = s
	}
	return s
}

// mapEvents are the events of an EDN file: maps one after the other, or in one vector.
type mapEvents struct {
	edn    *ednReader
	names  names
	vector bool
	close  int // what ends the vector
	index  int64
}

// newMapEvents begins to read.
func newMapEvents(r io.Reader) (*mapEvents, error) {
	m := &mapEvents{edn: newEDN(r), names: names{}, index: -1}
	c, err := m.edn.blanks()
	if err != nil {
		return nil, err
	}
	if m.close = map[int]int{'[': ']', '(': ')'}[c]; m.close != 0 {
		m.vector = true
		m.edn.began = m.edn.line
		m.edn.take()
	}
	return m, nil
}

func (m *mapEvents) next() (event, error) {
	if m.vector {
		begin := m.edn.began
		c, err := m.edn.blanks()
		switch {
		case err != nil:
			return event{}, err
		case c == ended && m.close != 0:
			return event{}, damaged(m.edn.line, "the file ends within the vector of operations: it was cut off")
		case c == ended:
			return event{}, errNothing
		case m.close == 0:
			return event{}, damaged(m.edn.line, "something stands behind the vector of operations that begins on line %d", begin)
		case c == m.close:
			m.edn.take()
			m.close = 0
			return m.next()
		}
	}
	v, err := m.edn.next()
	if err != nil {
		return event{}, err
	}
	return m.event(v)
}

// event reads an operation map.
func (m *mapEvents) event(v value) (event, error) {
	line := int(v.line)
	if v.kind != kindMap {
		return event{}, damaged(line, "this is no operation map: %s", plain.Excerpt([]byte(v.String())))
	}
	e := event{line: v.line}
	var of struct{ typ, f, process, time, index *value }
	for key, to := range map[string]**value{"type": &of.typ, "f": &of.f, "process": &of.process, "time": &of.time, "index": &of.index,
		"value": &e.value, "key": &e.key, "error": &e.err} {
		found, twice := v.get(key)
		if twice {
			return event{}, damaged(line, "an operation has :%s twice", key)
		}
		*to = found
	}
	if err := m.course(&e, of.time, of.index); err != nil {
		return event{}, err
	}
	var err error
	if e.typ, err = m.word(line, ":type", of.typ); err != nil {
		return event{}, err
	}
	if e.f, err = m.word(line, ":f", of.f); err != nil {
		return event{}, err
	}
	if of.process == nil {
		return event{}, damaged(line, "an operation without its :process")
	}
	return e, e.setProcess(of.process)
}

// course reads when an event was.
func (m *mapEvents) course(e *event, time, index *value) error {
	if index != nil && !index.isNil() {
		n, ok := index.int64()
		switch {
		case !ok:
			return damaged(int(e.line), "an :index that is no whole number: %s", plain.Excerpt([]byte(index.String())))
		case n >= 0 && n <= m.index:
			return damaged(int(e.line), "the :index %d comes after %d: operations are out of order, or there twice", n, m.index)
		case n >= 0:
			m.index = n
		}
	}
	if time == nil || time.isNil() {
		return nil
	}
	if e.time, e.timed = time.int64(); !e.timed || e.time > mostTime || e.time < -mostTime {
		return damaged(int(e.line), "a :time that is no whole number of nanoseconds: %s", plain.Excerpt([]byte(time.String())))
	}
	return nil
}

// mostTime bounds times, ns: within it no difference overflows.
const mostTime = 1 << 62

func (m *mapEvents) word(line int, key string, v *value) (string, error) {
	if v == nil {
		return "", damaged(line, "an operation without its %s", key)
	}
	w, ok := v.word()
	if !ok {
		return "", damaged(line, "the %s of an operation is no keyword: %s", key, plain.Excerpt([]byte(v.String())))
	}
	return m.names.one(w), nil
}

// setProcess says whose event it is.
func (e *event) setProcess(v *value) error {
	if w, ok := v.word(); ok && w == "nemesis" {
		e.nemesis = true
		return e.check()
	}
	n, ok := v.int64()
	if !ok || n < 0 || n > mostProcess {
		return damaged(int(e.line), "the process of an operation is neither a number from 0 on nor :nemesis: %s", plain.Excerpt([]byte(v.String())))
	}
	e.process = n
	return e.check()
}

func (e *event) check() error {
	if !slices.Contains([]string{typeInvoke, typeOK, typeFail, typeInfo}, e.typ) {
		return damaged(int(e.line), "the :type of an operation is %s, and can be :invoke, :ok, :fail or :info", plain.Excerpt([]byte(e.typ)))
	}
	return nil
}
