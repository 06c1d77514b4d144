package systems

import (
	"testing"

	"squall/internal/declare"
)

// made is a system whose capabilities are parts of it.
type made struct{ parts []any }

func (made) Name() string           { return "made" }
func (made) Describe() string       { return "a system of parts" }
func (made) Params() declare.Params { return nil }
func (made) Server(Node, Cluster, declare.Args) (Start, error) {
	return Start{}, nil
}
func (m made) Parts() []any { return m.parts }

type tracer struct{}

func (tracer) WritesTrace() {}

func TestAsFindsWhatAPartCanDo(t *testing.T) {
	if Traced(made{}) {
		t.Error("a system without parts has a trace")
	}
	if !Traced(made{[]any{0, tracer{}}}) {
		t.Error("a system with a part that has a trace has none")
	}
	if _, ok := As[ClockBender](made{[]any{tracer{}}}); ok {
		t.Error("a part can do what it has no method for")
	}
	if _, ok := As[Composed](made{}); !ok {
		t.Error("what a system can do itself is not found")
	}
}
