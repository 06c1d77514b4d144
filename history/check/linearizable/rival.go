package linearizable

import (
	"github.com/anishathalye/porcupine"

	"squall/history"
)

// Porcupine says what porcupine alone finds of operations, without anything that this package
// does to spare it work: whether each object is linearizable. It knows no limits.
func Porcupine(m Model, ops []history.Op) (legal bool, err error) {
	for _, k := range groupByKey(ops, m.object) {
		o, err := m.prepare(k.ops, nil)
		if err != nil {
			return false, err
		}
		if model, list := o.(part).porcupine(); !porcupine.CheckOperations(model, list) {
			return false, nil
		}
	}
	return true, nil
}
