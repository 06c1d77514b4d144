package linearizable

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history"
	"squall/internal/suggest"
)

// Model says how the objects of a history must behave, for Checker. A Spec makes
// one.
type Model struct {
	Name      string            // one word, such as "register"
	Doc       string            // one line for people
	Functions history.Functions // what its operations do

	// object names the object of an operation; nil: its key.
	object func(op *history.Op) string
	// prepare reads the operations of one object. It returns neither an object nor an
	// error when g was stopped.
	prepare func(ops []*history.Op, g *guard) (object, error)
	// explain tells people what a violation shows.
	explain func(f *finder, k *keyCase, witness minimal) explanation
}

// object is the operations of one object, read by its model.
type object interface {
	decidable
	// minimise makes small what is illegal up to a moment.
	minimise(m *minimiser, at int64) minimal
}

// decidable is operations of an object, all of them or some.
type decidable interface {
	// decide says by the deadline whether they are linearizable.
	decide(j *judge, deadline time.Time) ruling
}

// part is a few operations of an object, for porcupine and for people.
type part interface {
	// porcupine is the part as porcupine wants it. The operations' inputs are shown.
	porcupine() (porcupine.Model, []porcupine.Operation)
	// showState describes a state of porcupine's model.
	showState(state any) string
	// begins is the moment at which a part begins that does not begin with its object.
	begins() (at int64, inTheMiddle bool)
	// startText tells what the object may have been or held at that moment: "it held 3
	// or 5 at 7.512 s". ops are all operations of the object.
	startText(ops []*history.Op, seconds float64, deadline time.Time) string
}

// CheckOp says what is wrong with an operation that no object of the model has.
func (m Model) CheckOp(op *history.Op) error {
	_, err := m.prepare([]*history.Op{op}, nil)
	if wrong, is := err.(unsupportedError); is {
		return wrong.why
	}
	return err
}

// shown is an input of porcupine's that knows its operation.
type shown interface{ operation() *history.Op }

// Models are all models, in the order in which they are listed.
func Models() []Model {
	return []Model{RegisterModel(), MultiRegisterModel(), SetModel(), LockModel(), MutexModel(), CounterModel(), KVModel(), QueueModel(), FIFOQueueModel()}
}

// FindModel is the model of that name.
func FindModel(name string) (Model, error) {
	var names []string
	for _, m := range Models() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Model{}, fmt.Errorf("there is no model %q; %s", name, suggest.Among(name, names))
}
