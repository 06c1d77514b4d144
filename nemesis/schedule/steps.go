package schedule

import (
	"fmt"
	"strings"
	"time"

	"squall/nemesis"
)

// Step is one fault of a sequence that a test lays down itself.
type Step struct {
	nemesis.Choice
	At  time.Duration // from the begin of the load
	For time.Duration
}

// end is when the step is over at the latest: one that waits for a moment may begin late.
func (s Step) end() time.Duration { return s.At + s.MostWait() + s.For }

// waits says, of a step that waits for a moment, that this is a part of it.
func (s Step) waits() string {
	if wait := s.MostWait(); wait > 0 {
		return fmt.Sprintf(", as it may wait %v for its moment (see within)", wait)
	}
	return ""
}

// shortestHold is less than it takes to inject and prove most faults.
const shortestHold = 100 * time.Millisecond

// longestStep is as long as the longest test.
const longestStep = 24 * time.Hour

// mostSteps bounds a sequence: each is held against all before it.
const mostSteps = 10_000

// ParseSteps reads steps such as "at 3s for 2s: kill(leader)", separated by
// semicolons or new lines. "after 1s for 2s: …" begins one second after the
// step before has ended. The error is an *ItemError.
func ParseSteps(catalogue []nemesis.Fault, text string) ([]Step, error) {
	var steps []Step
	for i, line := range Split(strings.ReplaceAll(text, "\n", ";"), ';') {
		if line == "" {
			continue
		}
		if len(steps) == mostSteps {
			return nil, &ItemError{i, fmt.Errorf("more than %d steps: leave some out, or have faults drawn", mostSteps)}
		}
		step, err := parseStep(catalogue, line, steps)
		if err != nil {
			return nil, &ItemError{i, err}
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf(`expected steps such as "at 3s for 2s: kill(leader)", found nothing`)
	}
	return steps, nil
}

// StepsText lays planned faults down as steps: ParseSteps reads them. Who of the nodes is
// hit, where that was drawn, and what a fault draws while it holds are no part of steps.
func StepsText(catalogue []nemesis.Fault, planned []nemesis.Planned) (string, error) {
	var steps []string
	for _, p := range planned {
		fault, ok := nemesis.Find(catalogue, p.Fault)
		if !ok {
			return "", fmt.Errorf("there is no fault %q", p.Fault)
		}
		held := time.Duration(p.ForMs) * time.Millisecond
		steps = append(steps, fmt.Sprintf("at %v for %v: %v", p.At(), held, nemesis.Chosen(fault, p)))
	}
	return strings.Join(steps, "; "), nil
}

func parseStep(catalogue []nemesis.Fault, line string, before []Step) (Step, error) {
	when, what, ok := strings.Cut(line, ":")
	words := strings.Fields(when)
	if !ok || len(words) != 4 || words[2] != "for" || words[0] != "at" && words[0] != "after" {
		return Step{}, fmt.Errorf(`expected a step such as "at 3s for 2s: kill(leader)" or "after 1s for 2s: pause", found %q`, line)
	}
	var step Step
	var err error
	if step.At, err = parseMoment(words[1]); err != nil {
		return Step{}, err
	}
	if step.For, err = parseMoment(words[3]); err != nil {
		return Step{}, err
	}
	if step.For < shortestHold {
		return Step{}, fmt.Errorf("a fault must hold for %v at least, found %v", shortestHold, step.For)
	}
	if words[0] == "after" && len(before) > 0 {
		last := before[len(before)-1]
		step.At += last.end()
	}
	if step.Choice, err = nemesis.ParseChoice(catalogue, what); err != nil {
		return Step{}, err
	}
	return step, nil
}

func parseMoment(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf(`expected a duration such as "3s", not below zero, found %q`, text)
	}
	if d > longestStep {
		return 0, fmt.Errorf("expected a duration of at most %v, found %v", longestStep, d)
	}
	return d, nil
}
