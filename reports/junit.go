package reports

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/plain"
)

// The elements of a JUnit report, as the readers of Jenkins, GitLab and GitHub's
// actions know them. encoding/xml replaces characters that XML cannot hold.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Cases     []junitCase `xml:"testcase"`
	seconds   float64
}

type junitCase struct {
	Name       string           `xml:"name,attr"`
	Class      string           `xml:"classname,attr"`
	Time       string           `xml:"time,attr"`
	Properties *junitProperties `xml:"properties"`
	Failure    *junitProblem    `xml:"failure"`
	Error      *junitProblem    `xml:"error"`
	Skipped    *junitProblem    `xml:"skipped"`
	Out        *junitText       `xml:"system-out"`
	seconds    float64
}

type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

type junitText struct {
	Text string `xml:",chardata"`
}

// Bounds of what a reader of JUnit is shown of one text, in bytes.
const (
	maxMessage = 2 << 10
	maxText    = 64 << 10
)

func (s *junitSuites) add(suite junitSuite) {
	for _, c := range suite.Cases {
		suite.Tests++
		suite.seconds += c.seconds
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	suite.Time = junitTime(suite.seconds)
	s.Tests, s.Failures, s.Errors = s.Tests+suite.Tests, s.Failures+suite.Failures, s.Errors+suite.Errors
	s.Suites = append(s.Suites, suite)
}

func (s *junitSuites) encode() ([]byte, error) {
	var total float64
	for _, suite := range s.Suites {
		total += suite.seconds
	}
	s.Time = junitTime(total)
	s.disarm()
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

// disarm makes every text safe to print: XML may hold control characters that CI
// systems show in their logs as they are. Only what a test said has lines.
func (s *junitSuites) disarm() {
	line := func(texts ...*string) {
		for _, text := range texts {
			*text = plain.Block(plain.Text(*text, 2*maxMessage))
		}
	}
	line(&s.Name)
	for i := range s.Suites {
		suite := &s.Suites[i]
		line(&suite.Name)
		for j := range suite.Cases {
			c := &suite.Cases[j]
			line(&c.Name, &c.Class)
			for _, p := range []*junitProblem{c.Failure, c.Error, c.Skipped} {
				if p != nil {
					line(&p.Message, &p.Type)
					p.Text = plain.Block(p.Text)
				}
			}
			if c.Out != nil {
				c.Out.Text = plain.Block(c.Out.Text)
			}
			if c.Properties != nil {
				for k := range c.Properties.List {
					line(&c.Properties.List[k].Value)
				}
			}
		}
	}
}

func junitTime(seconds float64) string { return strconv.FormatFloat(max(seconds, 0), 'f', 3, 64) }

// problem is what did not pass; the type is the outcome.
func problem(outcome string, lines []string) *junitProblem {
	first := outcome
	if len(lines) > 0 {
		first = firstLineOf(lines[0])
	}
	return &junitProblem{Message: plain.Clip(first, maxMessage), Type: outcome, Text: plain.Clip(strings.Join(indented(lines), "\n"), maxText)}
}

// indented has each text's own lines begin with blanks, so that none of them
// passes for another text.
func indented(texts []string) []string {
	var out []string
	for _, text := range texts {
		out = append(out, string(plain.Lines(text, "  ")))
	}
	return out
}

func firstLineOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// place puts a problem where JUnit wants it: what the system under test did
// wrong is a failure, what kept squall from telling is an error.
func (c *junitCase) place(outcome string, p *junitProblem) {
	switch outcome {
	case string(check.Violation), outcomeThreshold:
		c.Failure = p
	case outcomeWaiting, outcomeRunning:
		c.Skipped = p
	case string(check.Pass):
	default:
		c.Error = p
	}
}

// campaignJUnit has a suite for each group, a case for each cell, and one more
// suite for what was asked of the whole.
func campaignJUnit(c *storms) ([]byte, error) {
	out := junitSuites{Name: plain.Clip(c.record.Name, maxMessage)}
	var order []string
	groups := map[string][]junitCase{}
	for i := range c.cells {
		cell := &c.cells[i]
		if _, seen := groups[cell.Group]; !seen {
			order = append(order, cell.Group)
		}
		groups[cell.Group] = append(groups[cell.Group], cellCase(c, cell))
	}
	for _, g := range order {
		suite := junitSuite{Name: plain.Clip(c.record.Name+"."+g, maxMessage), Cases: groups[g]}
		if !c.record.Began.IsZero() {
			suite.Timestamp = c.record.Began.UTC().Format("2006-01-02T15:04:05")
		}
		out.add(suite)
	}
	if cases := wholeCases(c); len(cases) > 0 {
		out.add(junitSuite{Name: plain.Clip(c.record.Name+".whole", maxMessage), Cases: cases})
	}
	return out.encode()
}

func cellCase(c *storms, cell *stormCell) junitCase {
	one := junitCase{Name: plain.Clip(cell.ID, maxMessage), Class: plain.Clip(c.record.Name+"."+cell.Group, maxMessage), seconds: cell.Seconds,
		Time: junitTime(cell.Seconds), Properties: &junitProperties{List: []junitProperty{
			{"seed", strconv.FormatUint(cell.Seed, 10)}, {"command", plain.Clip(cell.Command, maxMessage)}, {"outcome", cell.Outcome},
		}}}
	switch cell.Outcome {
	case outcomeWaiting:
		one.place(cell.Outcome, &junitProblem{Message: "it has not been run yet"})
		return one
	case outcomeRunning:
		one.place(cell.Outcome, &junitProblem{Message: "it is still running"})
		return one
	}
	if cell.bad() {
		one.place(cell.Outcome, problem(cell.Outcome, cell.why()))
	}
	if stopped := cell.stopped(); stopped != "" {
		one.Properties.List = append(one.Properties.List, junitProperty{"stopped", plain.Clip(stopped, maxMessage)})
	}
	text := plain.Sprintf("repeat: %s\n", cell.Command)
	if last := cell.Last(); last != nil {
		text += plain.Sprintf("run: %s\n", last.Dir)
		if n := cell.InvalidAttempts(); n > 0 {
			text += fmt.Sprintf("invalid runs of this cell: %d\n", n)
		}
	}
	if cell.results != nil {
		text += checksText(cell.results)
	} else if cell.trouble != "" {
		text += plain.Sprintf("%s\n", cell.trouble)
	}
	one.Out = &junitText{plain.Clip(text, maxText)}
	return one
}

// checksText is what the checks found, with the witness of a violation.
func checksText(r *check.Results) string {
	var b strings.Builder
	for _, c := range r.Checks {
		if b.Len() > maxText {
			break
		}
		plain.Fprintf(&b, "%s: %s: %s\n", c.Name, c.Verdict, plain.Clip(c.Told(), maxMessage))
		if c.Verdict != check.Violation {
			continue
		}
		for _, op := range c.Witness[:min(len(c.Witness), maxShown)] {
			plain.Fprintf(&b, "  %s to %s, process %d on %s: %s: %s\n", seconds(op.Call), seconds(op.Return), op.Process,
				plain.Clip(op.Node, 100), plain.Clip(op.Text, maxMessage), plain.Clip(op.Outcome, 100))
		}
		for i := range c.Events[:min(len(c.Events), maxShown)] {
			e := &c.Events[i]
			plain.Fprintf(&b, "  %s %s %s\n", plain.Clip(e.Node, 100), plain.Clip(e.Kind, 100), plain.Clip(eventText(e), maxMessage))
		}
	}
	for _, t := range r.Thresholds {
		plain.Fprintf(&b, "threshold %s: %s: %s\n", t.Outcome(), t.Text, plain.Clip(t.Why, maxMessage))
	}
	return b.String()
}

// wholeCases are the thresholds of the campaign, and its baseline.
func wholeCases(c *storms) []junitCase {
	class := plain.Clip(c.record.Name+".whole", maxMessage)
	var cases []junitCase
	for _, t := range c.record.Thresholds {
		cases = append(cases, thresholdCase(class, t))
	}
	if c.record.Baseline != nil {
		cases = append(cases, baselineCase(class, c.record.Baseline))
	}
	return cases
}

func thresholdCase(class string, t check.Threshold) junitCase {
	one := junitCase{Name: plain.Clip("threshold "+t.Text, maxMessage), Class: class, Time: junitTime(0), Out: &junitText{string(plain.Lines(plain.Clip(t.Why, maxText), "  "))}}
	if t.NoData { // nobody looked, as in a test that was skipped
		one.Skipped = &junitProblem{Message: plain.Clip(t.Outcome()+": "+t.Why, maxMessage)}
	}
	if !t.Met {
		one.place(outcomeThreshold, problem(outcomeThreshold, []string{t.Text + ": " + t.Why}))
	}
	return one
}

func baselineCase(class string, b *ledger.Baseline) junitCase {
	one := junitCase{Name: "baseline " + plain.Clip(b.Dir, maxMessage), Class: class, Time: junitTime(0)}
	lost := slices.DeleteFunc(slices.Clone(b.Rows), func(r ledger.Row) bool { return !r.Lost })
	if len(lost) > 0 {
		var lines []string
		for _, r := range lost {
			lines = append(lines, lossText(r))
		}
		one.place(outcomeThreshold, problem(outcomeThreshold, lines))
	}
	return one
}
