package traces

import (
	"errors"
	"io"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/conformance"
	"squall/history/trace"
)

// scripted hands over events, and then an error.
type scripted struct {
	events []trace.Event
	end    error
}

func (s *scripted) Next() (*trace.Event, error) {
	if len(s.events) == 0 {
		return nil, s.end
	}
	e := &s.events[0]
	s.events = s.events[1:]
	return e, nil
}

// conformed is the result of a check of these steps, beside these operations.
func conformed(t *testing.T, steps *scripted, ops ...history.Op) check.Result {
	t.Helper()
	in := &check.Input{History: &history.History{
		Header: history.Header{Nodes: []string{"n1", "n2", "n3"}, Functions: history.Functions{
			{Name: "read", Reads: true}, {Name: "write"},
		}},
		Ops: ops,
	}}
	b := check.NewBudget(t.Context(), in.Limits)
	defer b.Cancel()
	c, seen := conformance.New(nodeIDs(in.Header.Nodes)...), &answerable{}
	stop, err := follow(steps, c, seen, b)
	return tellConformed(in, c.Report(), seen, stop, err)
}

// idle are the starts of the other nodes, which do nothing.
const idle = "n2 start members=n1,n2,n3\nn3 start members=n1,n2,n3\n"

func stepsOf(t *testing.T, text string) *scripted {
	t.Helper()
	events, err := trace.ReadText(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return &scripted{events, io.EOF}
}

func TestConformanceResult(t *testing.T) {
	serving := idle + scriptText(t, "serving.txt")
	for _, test := range []struct {
		name    string
		steps   *scripted
		ops     []history.Op
		verdict check.Verdict
		says    string
	}{
		{"kept", stepsOf(t, serving), nil, check.Pass, "break none of"},
		{"broken", stepsOf(t, idle+scriptText(t, "leader-quorum.bad.txt")), nil, check.Violation,
			"leader-quorum (§5.2, Fig. 2; T 3.4): n1 becomes leader of term 2 with the votes of n1 and n2 alone"},
		{"broken, and then damaged", &scripted{stepsOf(t, idle+scriptText(t, "leader-quorum.bad.txt")).events, errors.New("damaged")}, nil, check.Violation, "leader-quorum"},
		{"damaged", &scripted{stepsOf(t, serving).events, errors.New("damaged")}, nil, check.Unknown, "cannot be read: damaged"},
		{"a node without a trace", stepsOf(t, scriptText(t, "serving.txt")), nil, check.Unknown, "n2: there is no trace of it; n3: there is no trace of it"},
		{"cut", stepsOf(t, serving+"n1 silent reason=\"its trace was cut\"\n"), nil, check.Unknown, "n1 from 0.0 s on: its trace was cut"},
		{"contradicts itself", stepsOf(t, serving+"n1 truncate term=2 mark=9/2\n"), nil, check.Unknown, "which its log does not hold"},
		{"contradicts another", stepsOf(t, serving+"n2 receive heartbeat from=n1 term=0 message-term=2 number=4\nn1 send heartbeat to=n3 term=2 number=9\n"),
			nil, check.Unknown, "n2 received its message 4"},
		{"empty", stepsOf(t, ""), nil, check.Unknown, "hold no steps"},
		{"lacking", stepsOf(t, strings.ReplaceAll(serving, "members", "lacks=persist,rounds members")), nil, check.Pass,
			"; off, as the trace lacks persist: own-vote-durable"},
		{"explained", stepsOf(t, serving), []history.Op{answeredAt("write", 12e6, 14e6)}, check.Pass, ""},
		{"not explained", stepsOf(t, serving+"@0.5 n1 receive heartbeat-reply from=n2 term=2\n"), []history.Op{answeredAt("write", 200e6, 210e6)}, check.Unknown,
			"n1 answered"},
		{"read that is not explained", stepsOf(t, serving+"@0.5 n1 receive heartbeat-reply from=n2 term=2\n"), []history.Op{answeredAt("read", 200e6, 210e6)}, check.Unknown,
			"no node serves reads or commits anything between its call and its answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := conformed(t, test.steps, test.ops...)
			if res.Verdict != test.verdict || !strings.Contains(res.Summary, test.says) {
				t.Errorf("%s: %s, want %s: … %s …", res.Verdict, res.Summary, test.verdict, test.says)
			}
			if res.Verdict == check.Violation && (len(res.Events) == 0 || res.FirstAt == nil || res.Explanation == "") {
				t.Errorf("the violation does not show itself: %+v", res)
			}
		})
	}
}

func answeredAt(f history.Func, call, ret int64) history.Op {
	return history.Op{Node: "n1", Func: f, Key: "k", Outcome: history.OK, Call: call, Return: ret}
}

// TestConformanceAfterAHole: what a node learnt from its leader in a hole of its trace, or
// after the end that a power cut took along, it may know after its restart, and so may the
// leader.
func TestConformanceAfterAHole(t *testing.T) {
	const before = "n2 start term=1 runs=1-3/1 members=n1,n2,n3\nn2 receive heartbeat from=n1 term=1 message-term=1\n"
	const after = "n2#2 start term=2 runs=1-5/2 members=n1,n2,n3\nn2#2 receive heartbeat from=n1 term=2 message-term=2 commit=5\nn2#2 commit term=2 mark=5/2\n"
	const stored = "n2 receive vote from=n1 term=1 message-term=2 mark=3/1\nn2 persist term=2 mark=3/1\n"
	for _, hole := range []string{"n2 silent reason=\"its trace was cut\"\n", stored} {
		text := before + hole + strings.ReplaceAll(after, "runs=1-5/2", "runs=1-3/1,4-5/2")
		events, err := trace.ReadText(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r := conform(events)
		if got := brokenRules(r); got != nil {
			t.Errorf("after %q %v are broken", hole, got)
		}
	}
}

// TestConformanceEvents: what shows a violation is told with node, boot, time and text.
func TestConformanceEvents(t *testing.T) {
	others := "n1 start members=n1,n2,n3\nn3 start members=n1,n2,n3\n"
	res := conformed(t, stepsOf(t, others+scriptText(t, "vote-durable.bad.txt")))
	if len(res.Events) != 3 {
		t.Fatalf("%d events show it, want the grant, what was stored, and the reply", len(res.Events))
	}
	e := res.Events[2]
	if e.Node != "n2" || e.Kind != "send" || e.Time == 0 || e.Boot != 1 || e.Term != 2 || e.Reason != "vote-reply to=n1" {
		t.Errorf("%+v", e)
	}
}

// TestConformanceApplies: without full traces there is no such check.
func TestConformanceApplies(t *testing.T) {
	if (conformanceCheck{}).Applies(&check.Input{Dir: t.TempDir()}) {
		t.Error("it applies to a run without full traces")
	}
}
