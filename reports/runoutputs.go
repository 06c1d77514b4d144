package reports

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"squall/history/check"
	"squall/history/gate"
	"squall/history/ledger"
	"squall/internal/number"
	"squall/internal/plain"
)

// Outputs are what is told of a run or a campaign to those that run squall for
// others: CI systems.
type Outputs struct {
	// JUnit is a JUnit report, Summary one in Markdown, at most MaxSummary bytes.
	JUnit   []byte
	Summary string
	// Annotations are GitHub's workflow commands, a line each; "" when all is well.
	Annotations string
}

// MaxSummary is the largest summary that is made, in bytes.
const MaxSummary = maxSummary

// CampaignOutputs are those of a campaign.
func CampaignOutputs(dir string) (*Outputs, error) {
	c, err := readCampaign(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	out := &Outputs{Summary: campaignMarkdown(c, maxSummary), Annotations: annotate(campaignProblems(c))}
	if out.JUnit, err = campaignJUnit(c); err != nil {
		return nil, fmt.Errorf("write %s: %w", JUnitFile, err)
	}
	return out, nil
}

// RunOutputs are those of one run. Command repeats it; baseline may be nil.
func RunOutputs(dir, name, command string, r *check.Results, baseline *ledger.Baseline) (*Outputs, error) {
	out := &Outputs{Summary: runMarkdown(dir, name, command, r, baseline), Annotations: annotate(runProblems(dir, r, baseline))}
	var err error
	if out.JUnit, err = runJUnit(dir, name, command, r, baseline); err != nil {
		return nil, fmt.Errorf("write the JUnit report: %w", err)
	}
	return out, nil
}

// runJUnit has a case for each check, each threshold and the baseline.
func runJUnit(dir, name, command string, r *check.Results, baseline *ledger.Baseline) ([]byte, error) {
	class := plain.Clip("squall."+name, maxMessage)
	properties := &junitProperties{List: []junitProperty{{"command", plain.Clip(command, maxMessage)}, {"run", plain.Clip(dir, maxMessage)}}}
	suite := junitSuite{Name: class}
	if r.Stopped != "" {
		properties.List = append(properties.List, junitProperty{"stopped", plain.Clip(r.Stopped, maxMessage)})
		suite.Cases = append(suite.Cases, stoppedCase(class, r))
	}
	for _, c := range r.Checks {
		one := junitCase{Name: plain.Clip(c.Name, maxMessage), Class: class, seconds: c.Seconds, Time: junitTime(c.Seconds), Properties: properties}
		text := plain.Sprintf("repeat: %s\nrun: %s\n", command, dir) + checksText(&check.Results{Checks: []check.Result{c}})
		one.Out = &junitText{plain.Clip(text, maxText)}
		if c.Verdict != check.Pass {
			outcome := outcomeOf(c.Verdict, 0)
			one.place(outcome, problem(outcome, []string{c.Told()}))
		}
		suite.Cases = append(suite.Cases, one)
	}
	for _, t := range r.Thresholds {
		suite.Cases = append(suite.Cases, thresholdCase(class, t))
	}
	if baseline != nil {
		suite.Cases = append(suite.Cases, baselineCase(class, baseline))
	}
	out := junitSuites{Name: class}
	out.add(suite)
	return out.encode()
}

// stoppedCase says that the run was stopped early. Unless it found a violation, that
// is what it came to: the command ended with the code of an interruption.
func stoppedCase(class string, r *check.Results) junitCase {
	one := junitCase{Name: "runs to its end", Class: class, Time: junitTime(0)}
	one.Error = problem("stopped", []string{r.Stopped})
	return one
}

// outcomeOfRun is the outcome of a run that may have a baseline.
func outcomeOfRun(r *check.Results, baseline *ledger.Baseline) string {
	missed := len(r.Missed())
	if baseline != nil {
		missed += len(gate.Lost(baseline.Rows))
	}
	return outcomeOf(r.Verdict, missed)
}

func runMarkdown(dir, name, command string, r *check.Results, baseline *ledger.Baseline) string {
	m := &markdown{most: maxSummary}
	stopped := ""
	if r.Stopped != "" {
		stopped = ", stopped early"
	}
	m.line("## %s%s: %s", outcomeWord(outcomeOfRun(r, baseline)), stopped, prose(name, 200))
	m.line("")
	lost := plural(r.Elections.Lost(), "leader") + " lost"
	if logged := r.Elections.Logged; logged != nil {
		lost = logged.Text()
	} else if r.Elections.NoTrace {
		lost = "no trace of leaders"
	}
	m.line("%s in %s s: %s succeeded (%s/s), %s failed, %s unknown; %s, %s.", plural(int(r.Ops.Total), "operation"),
		number.Decimals(r.Ops.LoadSeconds, 1), number.Count(r.Ops.OK), number.Digits(r.Ops.Throughput, 3), number.Count(r.Ops.Fail), number.Count(r.Ops.Info),
		plural(len(r.Faults), "fault"), lost)
	if r.Stopped != "" {
		m.line("")
		m.line("**It was stopped early: %s.**", prose(firstLineOf(r.Stopped), 500))
		m.line("")
	}
	for _, reason := range r.Reasons {
		m.line("- %s", prose(firstLineOf(reason), 1000))
	}
	m.line("")
	m.line("| check | verdict | |")
	m.line("|---|---|---|")
	for _, c := range r.Checks {
		m.line("| %s | %s | %s |", prose(c.Name, 100), outcomeWord(outcomeOf(c.Verdict, 0)), prose(firstLineOf(c.Told()), 1000))
	}
	thresholdsMarkdown(m, "Thresholds", r.Thresholds)
	baselineMarkdown(m, baseline)
	m.line("")
	m.line("Report: %s", code(filepath.Join(dir, ReportFile), 1000))
	m.line("")
	m.line("Repeat: %s", code(command, 2000))
	return m.String()
}

// issue is something that an annotation tells.
type issue struct{ title, text string }

func newIssue(title string, texts ...string) issue {
	return issue{title, strings.Join(indented(texts), "\n")}
}

func runProblems(dir string, r *check.Results, baseline *ledger.Baseline) []issue {
	var out []issue
	for _, c := range r.Checks {
		if c.Verdict != check.Pass {
			out = append(out, newIssue(fmt.Sprintf("squall: %s: %s", outcomeOf(c.Verdict, 0), c.Name), c.Told(), "run: "+dir))
		}
	}
	if r.Stopped != "" {
		out = append(out, newIssue("squall: stopped early", r.Stopped, "run: "+dir))
	}
	return append(out, gateProblems(r.Missed(), baseline)...)
}

func gateProblems(missed []check.Threshold, baseline *ledger.Baseline) []issue {
	var out []issue
	for _, t := range missed {
		out = append(out, newIssue("squall: threshold missed", t.Text+": "+t.Why))
	}
	if baseline != nil {
		for _, r := range gate.Lost(baseline.Rows) {
			out = append(out, newIssue("squall: worse than the baseline", lossText(r)))
		}
	}
	return out
}

func campaignProblems(c *storms) []issue {
	out := gateProblems(c.missed(), c.record.Baseline)
	for _, cell := range c.failures() {
		out = append(out, newIssue(fmt.Sprintf("squall: %s: %s", cell.Outcome, cell.ID), append(cell.why(), "repeat: "+cell.Command)...))
	}
	return out
}

// mostAnnotations is how many GitHub shows of one step.
const mostAnnotations = 10

// annotate writes GitHub's workflow commands. The last one says how many are
// left out.
func annotate(issues []issue) string {
	var b strings.Builder
	for i, p := range issues {
		if i == mostAnnotations-1 && len(issues) > mostAnnotations {
			fmt.Fprintf(&b, "::error title=squall::and %d more: see the summary\n", len(issues)-i)
			break
		}
		fmt.Fprintf(&b, "::error title=%s::%s\n", escapeProperty(plain.Clip(p.title, 200)), escapeData(plain.Clip(p.text, maxMessage)))
	}
	return b.String()
}

// escapeData and escapeProperty are GitHub's own: in a message what ends a line
// must not, and in a property neither what ends it.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(plain.Block(s))
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(plain.Text(s, maxMessage))
}
