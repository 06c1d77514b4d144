package reports

import (
	"squall/history/check"
	"squall/internal/plain"
)

// advice is something to do, and the command that does it, if one does.
type advice struct{ Text, Command string }

// verdictWords says what a verdict is called, what it means and what to do.
func verdictWords(r *run) (headline, meaning string, next []advice) {
	again := "squall check " + r.dir
	switch r.results.Verdict {
	case check.Pass:
		return "Pass", "The cluster kept every guarantee that was checked.", []advice{
			{Text: "One storm is one sample: try other seeds, or a longer --time."},
		}
	case check.Violation:
		return "Violation", violationWords(r.results), []advice{
			{Text: "Look at the operations or events of the evidence: the smallest set found that no correct cluster could produce."},
			{Text: "Keep this directory. The verdict depends only on its history, and you can check it again without a cluster:", Command: again},
			{Text: "See how often it shows, with the same faults:", Command: "squall replay " + r.dir},
			{Text: "Leave out all faults and clients that it does not take:", Command: "squall shrink " + r.dir},
			{Text: "The nodes’ own logs are in the folder nodes/."},
		}
	case check.Unknown:
		return "Unknown", "The checker could not decide within its limits. This is not a pass.", []advice{
			{Text: "Check again with more time and memory, on a machine that is not busy:", Command: again},
			{Text: "Or make it easier to check: fewer --clients, a lower --rate, a shorter --time."},
		}
	case check.Invalid:
		return "Invalid", "The test itself failed, or was too quiet to mean anything. It says nothing about the cluster.", []advice{
			{Text: "Read the reason above, then the nodes’ logs in the folder nodes/."},
			{Text: "Check whether this machine has everything that a test needs:", Command: "squall doctor"},
			{Text: "Remove what killed runs left behind (runs in progress are not touched), then run it again:", Command: "squall clean"},
		}
	}
	return "No verdict", "results.json holds a verdict that this version does not know: " + string(r.results.Verdict),
		[]advice{{Text: "Check the run again:", Command: again}}
}

// violationWords is the sentence that explains the first violation which has one: what,
// when, on which node, under which fault.
func violationWords(r *check.Results) string {
	const broke = "The cluster broke a guarantee."
	for i := range r.Checks {
		c := &r.Checks[i]
		if c.Verdict != check.Violation || c.Explanation == "" {
			continue
		}
		kind := string(c.Kind)
		if kind != "" {
			kind = capital(kind) + ". "
		}
		return broke + " " + plain.Clip(kind+c.Explanation, maxShownText)
	}
	return broke
}
