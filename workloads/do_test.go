package workloads

import (
	"context"
	"testing"

	"squall/history"
	"squall/workloads/systems"
)

// answers is what the workload of this test needs of a connection.
type answers interface {
	systems.Client
	Answer(key string) string
}

type knowing struct{ systems.Client }

func (knowing) Answer(key string) string { return "the answer to " + key }

type silent struct{ systems.Client }

// program takes operations of the workload "questions" as they are.
type program struct{ systems.Client }

func (program) Serves(workload string) bool { return workload == "questions" }
func (program) Call(_ context.Context, op *history.Op) error {
	op.Out = history.Text("called")
	return nil
}

func TestFitsAndPerform(t *testing.T) {
	w := Workload{Name: "questions", Do: On(func(_ context.Context, c answers, op *history.Op) error {
		op.Out = history.Text(c.Answer(op.Key))
		return nil
	})}
	other := w
	other.Name = "riddles"
	for _, c := range []struct {
		name   string
		w      Workload
		client systems.Client
		fits   bool
		out    history.Data
	}{
		{"by interface", w, knowing{}, true, `"the answer to k"`},
		{"without it", w, silent{}, false, ""},
		{"a program", w, program{}, true, `"called"`},
		{"a program of others", other, program{}, false, ""},
	} {
		if c.w.Fits(c.client) != c.fits {
			t.Errorf("%s: fits is %t", c.name, !c.fits)
		}
		if !c.fits {
			continue
		}
		op := history.Op{Func: "ask", Key: "k"}
		if err := c.w.Bind(c.client)(t.Context(), &op); err != nil || op.Out != c.out {
			t.Errorf("%s: %s, %v, want %s", c.name, op.Out, err, c.out)
		}
	}
	if err := w.Bind(silent{})(t.Context(), &history.Op{}); !systems.Certain(err) {
		t.Errorf("a connection that cannot: %v, want an error that is certain", err)
	}
}
