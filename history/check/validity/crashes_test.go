package validity

import (
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
)

func TestCrashes(t *testing.T) {
	exit := func(node, reason string) history.NodeEvent {
		return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventExit, Time: 20, Reason: reason}
	}
	fine := []history.NodeEvent{{Node: "n1", Kind: history.EventStart}, exit("n1", history.ReasonKilled), exit("n2", history.ReasonStopped)}
	starved := append(fine[:3:3], exit("n3", history.ReasonOOM))
	for _, tc := range []struct {
		name   string
		events []history.NodeEvent
		want   check.Verdict
		says   string
	}{
		{"killed and stopped by squall", fine, check.Pass, "none of 1 started"},
		{"killed for want of memory that squall took", starved, check.Pass, "none of 1 started"},
		{"a panic", append(fine[:3:3], exit("n3", "exit status 2: panic: index out of range")), check.Violation, "n3 ended by itself at 0.0 s (exit status 2: panic"},
		{"SIGKILL in a history of before", append(fine[:3:3], exit("n3", "signal: killed")), check.Invalid, "something other than squall ended the server of n3 at 0.0 s: signal: killed"},
		{"SIGKILL by somebody else", append(fine[:3:3], exit("n3", history.ReasonOutside)), check.Invalid, "something other than squall ended the server of n3 at 0.0 s: killed from outside"},
		{"its own memory limit", append(fine[:3:3], exit("n3", history.ReasonOwnLimit)), check.Invalid, "n3 ran out of memory"},
		{"a panic beside a SIGKILL", append(fine[:3:3], exit("n3", history.ReasonOutside), exit("n1", "signal: aborted: fatal error")), check.Violation, "n1 ended by itself"},
		{"before there was a leader", append(fine[:3:3], history.NodeEvent{Node: "n3", Kind: history.EventExit, Time: 5, Reason: "exit status 1"}), check.Pass, "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := Crashes().Check(t.Context(), &check.Input{History: &history.History{Nodes: tc.events,
				Marks: []history.Mark{{Name: history.MarkServing, Time: 10}}}})
			if (res.FirstAt != nil) != (tc.want == check.Violation) {
				t.Errorf("%s, and first at %v", res.Verdict, res.FirstAt)
			}
			if res.Verdict != tc.want || !strings.Contains(res.Summary, tc.says) {
				t.Errorf("%s: %s; want %s with %q", res.Verdict, res.Summary, tc.want, tc.says)
			}
		})
	}
	res := Crashes().Check(t.Context(), &check.Input{History: &history.History{Nodes: []history.NodeEvent{exit("n1", "exit status 1")}}})
	if res.Verdict != check.Unknown {
		t.Errorf("without a leader: %s, want %s", res.Verdict, check.Unknown)
	}
}
