package testplan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"squall/internal/declare"
	"squall/internal/suggest"
	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/workloads/systems"
)

// text is what a test says of its faults.
func (t *Test) text() schedule.Text {
	return schedule.Text{Nemesis: t.Nemesis, Schedule: t.Schedule, Hold: t.Hold, Gap: t.Gap,
		Overlap: t.Overlap, Limit: t.Limit, Swarm: t.Swarm}
}

// drawFaults draws the schedule of a test, or says which setting keeps it from
// being drawn: the error is a *FieldError.
func (t *Test) drawFaults(seed uint64) (schedule.Drawn, error) {
	blame := "nemesis"
	if t.Schedule != "" {
		blame = "schedule"
	}
	all := faults.All()
	spec, err := schedule.Parse(all, t.text())
	if err != nil {
		return schedule.Drawn{}, &FieldError{blame, err}
	}
	system, err := t.FindSystem()
	if err != nil {
		return schedule.Drawn{}, &FieldError{"system", err}
	}
	t.leaveOut(system, &spec)
	undrawn(system, &spec)
	t.breathe(system, &spec)
	if err := systemCan(system, choicesOf(spec)); err != nil {
		return schedule.Drawn{}, &FieldError{blame, err}
	}
	if err := aim(system, &spec); err != nil {
		return schedule.Drawn{}, &FieldError{blame, err}
	}
	if err := t.momentsSeen(system, choicesOf(spec)); err != nil {
		return schedule.Drawn{}, &FieldError{blame, err}
	}
	drawn, err := schedule.Draw(spec, seed, NodeNames(t.Nodes), time.Duration(t.Time))
	if err != nil {
		item := new(schedule.ItemError)
		switch {
		case errors.Is(err, schedule.ErrTooMany):
			blame = "gap"
		case !errors.As(err, &item) && t.Nemesis == DefaultTest().Nemesis:
			err = fmt.Errorf(`%w; nemesis "none" runs without faults`, err)
		}
		return schedule.Drawn{}, &FieldError{blame, err}
	}
	return drawn, nil
}

// leaveOut leaves out, of the faults that come with a mix, those that the system under
// test cannot have, so that "storm" is everything that a system can have, and returns
// them. What was asked for by name stays, to be refused, and so does a mix of which
// nothing would be left.
func (t *Test) leaveOut(system systems.System, spec *schedule.Spec) (out []nemesis.Choice) {
	var kept []schedule.Card
	for _, card := range spec.Cards {
		one := []nemesis.Choice{card.Choice}
		if card.Asked || systemCan(system, one) == nil && t.momentsSeen(system, one) == nil {
			kept = append(kept, card)
		} else {
			out = append(out, card.Choice)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	spec.Cards = kept
	return out
}

// undrawn keeps the values of parameters from being drawn that the system under test
// cannot have, and returns them by what they need: corrupt(as=payload). What was asked for
// stays.
func undrawn(system systems.System, spec *schedule.Spec) map[nemesis.Need][]string {
	out := map[nemesis.Need][]string{}
	restrict := func(c *nemesis.Choice) {
		for _, d := range c.Fault.Drawn {
			if c.Args[d.Param] != "" || SystemCannot(system, d.Need) == "" {
				continue
			}
			// One of the others is as good as any: the default, which needs nothing.
			c.Args = maps.Clone(c.Args)
			if c.Args == nil {
				c.Args = declare.Args{}
			}
			c.Args[d.Param] = c.Fault.Params.Fill(nil, nil)[d.Param]
			if name := fmt.Sprintf("%s(%s=%s)", c.Fault.Name, d.Param, d.Value); !slices.Contains(out[d.Need], name) {
				out[d.Need] = append(out[d.Need], name)
			}
		}
	}
	for i := range spec.Cards {
		restrict(&spec.Cards[i].Choice)
	}
	for i := range spec.Steps {
		restrict(&spec.Steps[i].Choice)
	}
	return out
}

// LeftOut says which faults of a mix the system under test cannot have and why, a line
// for each reason.
func (t *Test) LeftOut() (lines []string) {
	spec, err := schedule.Parse(faults.All(), t.text())
	if err != nil {
		return nil // it is refused elsewhere
	}
	system, err := t.FindSystem()
	if err != nil {
		return nil
	}
	out := t.leaveOut(system, &spec)
	missing := unmetBy(system, out)
	for _, c := range out {
		if m, ok := c.Moment(); ok && t.momentCannot(system, m) != "" {
			missing[m.Need] = append(missing[m.Need], c.String())
		}
	}
	for need, names := range undrawn(system, &spec) {
		missing[need] = append(missing[need], names...)
	}
	for _, need := range slices.Sorted(maps.Keys(missing)) {
		why := t.momentCannot(system, nemesis.Moment{Need: need})
		lines = append(lines, fmt.Sprintf("left out  %s: %s", strings.Join(missing[need], ", "), why))
	}
	return lines
}

// choicesOf are the faults that may come out of what a test asks for.
func choicesOf(spec schedule.Spec) (choices []nemesis.Choice) {
	for _, card := range spec.Cards {
		choices = append(choices, card.Choice)
	}
	for _, step := range spec.Steps {
		choices = append(choices, step.Choice)
	}
	return choices
}

// systemCan refuses the faults that the system under test cannot have.
func systemCan(system systems.System, choices []nemesis.Choice) error {
	return Refusal(unmetBy(system, choices), func(n nemesis.Need) string { return SystemCannot(system, n) })
}

// unmetBy are the names of faults, by the needs that the system cannot meet.
func unmetBy(system systems.System, choices []nemesis.Choice) map[nemesis.Need][]string {
	missing := map[nemesis.Need][]string{}
	for _, c := range choices {
		for _, need := range c.Fault.Needs {
			if SystemCannot(system, need) != "" && !slices.Contains(missing[need], c.Fault.Name) {
				missing[need] = append(missing[need], c.Fault.Name)
			}
		}
	}
	return missing
}

// aim leaves out, of what a test asks for, the targets that nobody can find in the
// system under test: they are not drawn. It refuses those that were asked for by
// name.
func aim(system systems.System, spec *schedule.Spec) (err error) {
	var cards []schedule.Card
	for _, card := range spec.Cards {
		if card.Variants, err = aimed(system, card.Choice); err == nil {
			cards = append(cards, card)
		} else if card.Asked {
			return err
		}
	}
	if len(cards) == 0 && len(spec.Cards) > 0 {
		return err
	}
	spec.Cards = cards
	for i := range spec.Steps {
		step := &spec.Steps[i]
		if step.Variants, err = aimed(system, step.Choice); err != nil {
			return &schedule.ItemError{Item: i, Err: err}
		}
	}
	return nil
}

// aimed are the targets of a choice that can be found in a system. That there are
// none is an error, which says what to write instead.
func aimed(system systems.System, c nemesis.Choice) ([]nemesis.Variant, error) {
	found := findable(system, c.Variants)
	if len(c.Nodes) > 0 || len(found) > 0 {
		return found, nil
	}
	others := []string{"n1"}
	for _, v := range findable(system, c.Fault.Variants) {
		others = append(others, v.Name)
	}
	return nil, fmt.Errorf("fault %v is not available here: %s; other targets of %s are %s", c,
		SystemCannot(system, c.Variants[0].Need), c.Fault.Name, strings.Join(others, ", "))
}

// findable are the targets that can be found in a system.
func findable(system systems.System, variants []nemesis.Variant) []nemesis.Variant {
	return slices.DeleteFunc(slices.Clone(variants), func(v nemesis.Variant) bool {
		return v.Need != "" && SystemCannot(system, v.Need) != ""
	})
}

// SystemCannot says why a system cannot meet a need; "" when it can, or when it
// is not the system's to meet.
func SystemCannot(system systems.System, need nemesis.Need) string {
	_, bends := systems.As[systems.ClockBender](system)
	switch {
	case need == nemesis.NeedClock && !bends:
		return fmt.Sprintf("%s uses the computer's clock, which all machines share: squall cannot bend it for one node alone", system.Name())
	case need == nemesis.NeedMessages && !rulesMessages(system):
		return fmt.Sprintf("the servers of %s take no rules for the messages between them: squall can only do that to their packets", system.Name())
	case need == nemesis.NeedIntegrity && !checksBytes(system):
		return fmt.Sprintf("%s leaves it to TCP to tell that bytes were changed, and this changes them so that TCP cannot; ask for it by name to see what happens", system.Name())
	case need == nemesis.NeedMembership && !systems.ChangesMembers(system):
		return fmt.Sprintf("squall cannot change the members of %s: its clients have no way to", system.Name())
	case need == nemesis.NeedLeader && !systems.Traced(system) && !systems.TellsLeader(system) && !systems.ReadsLogs(system):
		return fmt.Sprintf("%s writes no trace, and does not tell its clients, so nobody can say who leads", system.Name())
	case need == nemesis.NeedTrace && !systems.Traced(system):
		return fmt.Sprintf("%s writes no trace", system.Name())
	case need == nemesis.NeedFullTrace && !systems.Traced(system):
		return fmt.Sprintf("%s writes no trace", system.Name())
	case need == nemesis.NeedCandidate && !systems.Traced(system) && !systems.LogsShowCandidates(system):
		return fmt.Sprintf("%s writes no trace, so nobody can say who stands for election", system.Name())
	}
	return ""
}

func rulesMessages(system systems.System) bool {
	_, ok := systems.As[systems.MessageRuler](system)
	return ok
}

func checksBytes(system systems.System) bool {
	_, ok := systems.As[systems.ByteChecker](system)
	return ok
}

// Refusal names, for each need that is not met, the faults that have it, why it
// is not met, and how to go on without them.
func Refusal(missing map[nemesis.Need][]string, why func(nemesis.Need) string) error {
	if len(missing) == 0 {
		return nil
	}
	var lines, without []string
	needs := make([]nemesis.Need, 0, len(missing))
	for need := range missing {
		needs = append(needs, need)
	}
	slices.Sort(needs)
	for _, need := range needs {
		verb := "is"
		if len(missing[need]) > 1 {
			verb = "are"
		}
		lines = append(lines, fmt.Sprintf("%s %s not available here: %s", strings.Join(missing[need], ", "), verb, why(need)))
		for _, name := range missing[need] {
			if !slices.Contains(without, "-"+name) {
				without = append(without, "-"+name)
			}
		}
	}
	return fmt.Errorf("%s; to run without, add to the list of faults: %s", strings.Join(lines, "; "), strings.Join(without, ","))
}

func setNemesis(t *Test, text string) error {
	if _, err := schedule.ParseFaults(faults.All(), text); err != nil {
		return err
	}
	t.Nemesis = text
	return nil
}

// setSchedule keeps the steps on one line, as a command that repeats the test has them.
func setSchedule(t *Test, text string) error {
	if text != "" {
		if _, err := schedule.ParseSteps(faults.All(), text); err != nil {
			return err
		}
	}
	steps := schedule.Split(strings.ReplaceAll(text, "\n", ";"), ';')
	steps = slices.DeleteFunc(steps, func(step string) bool { return step == "" })
	t.Schedule = strings.Join(steps, "; ")
	return nil
}

func setLimit(t *Test, text string) error {
	known := []string{schedule.Anything, schedule.Majority}
	if text != "" && !slices.Contains(known, text) {
		return fmt.Errorf("expected one of %s, found %q%s", strings.Join(known, ", "), text, suggest.Hint(text, known))
	}
	t.Limit = text
	return nil
}

func setSwarm(t *Test, text string) error {
	swarm, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("expected true or false, found %q", text)
	}
	t.Swarm = swarm
	return nil
}

func distOption(name, usage string, parse func(string) (schedule.Dist, error), field func(*Test) *string) Option {
	return Option{Name: name, Type: "duration or range", Usage: usage, Set: func(t *Test, text string) error {
		if text != "" {
			if _, err := parse(text); err != nil {
				return err
			}
		}
		*field(t) = text
		return nil
	}, Get: func(t *Test) string { return *field(t) }}
}
