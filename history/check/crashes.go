package check

import (
	"context"
	"fmt"

	"squall/history"
)

// Crashes returns the checker "no-crash": no server ends by itself once there
// was a first leader. What squall killed or stopped does not count. A server
// that never got so far makes the test invalid, which is not decided here.
func Crashes() Checker { return crashes{} }

type crashes struct{}

var _ Checker = crashes{}

// Name is "no-crash".
func (crashes) Name() string { return "no-crash" }

// Check implements Checker.
func (crashes) Check(_ context.Context, in *Input) Result {
	serving, ok := servingSince(in.Marks)
	if !ok {
		return Result{Verdict: Unknown, Summary: "there never was a leader, so no server was at work"}
	}
	starts := 0
	var ended []history.NodeEvent
	for _, e := range in.Nodes {
		switch {
		case e.Kind == history.EventStart:
			starts++
		case e.Kind == history.EventExit && e.Time >= serving && !history.OwnDoing(e.Reason):
			ended = append(ended, e)
		}
	}
	if len(ended) == 0 {
		return Result{Verdict: Pass, Summary: fmt.Sprintf("none of %d started servers ended by itself", starts)}
	}
	first := ended[0]
	return Result{
		Verdict: Violation,
		Summary: fmt.Sprintf("the server of %s ended by itself (%s); its log is nodes/%s/server.log; %d such ends in all",
			first.Node, first.Reason, first.Node, len(ended)),
		Events: ended[:min(len(ended), 4)],
	}
}

// servingSince is when the first leader was seen.
func servingSince(marks []history.Mark) (int64, bool) {
	for _, m := range marks {
		if m.Name == history.MarkLeader {
			return m.Time, true
		}
	}
	return 0, false
}
