// Package schedule says which faults happen when: it reads what a test asks for,
// and draws from its seed a plan that replays the same way every time.
package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"squall/internal/suggest"
	"squall/nemesis"
)

// Text is what a test says of its faults, as it is written. The zero value of
// each field leaves it to the mix.
type Text struct {
	Nemesis  string // "storm", "partition,kill(leader)*3", "storm,-slow-cpu", "none"
	Schedule string // "at 3s for 2s: kill(leader); after 1s for 2s: pause": in place of drawing
	Hold     string // how long a fault holds: "2s", "2s-5s", "exp(3s)"
	Gap      string // how long it is quiet between two faults
	Overlap  int    // how many may be in force at once
	Limit    string // "anything" or "majority"
	Swarm    bool   // a random subset of the kinds, with random weights
}

// Spec is what a test asks for, understood.
type Spec struct {
	Cards []Card // what to draw from
	Steps []Step // or what happens exactly
	Hold  Dist
	Gap   Dist
	Lead  time.Duration // quiet before the first fault
	Tail  time.Duration // quiet after the last heal, before the load ends
	// Rest is how long no fault is in force after each Spell of them, so that the system
	// can be held to what it promises without faults; 0: there is no such rest, as where
	// a fault may take longer than the Spell.
	Spell, Rest time.Duration
	Overlap     int
	Limit       string
	Swarm       bool
	// Given is true when the test itself says how long faults hold, or how long it is
	// quiet between them: then that is not shortened to make room for all cards.
	Given bool
}

// Card is a fault to draw, and how often it is in the deck.
type Card struct {
	nemesis.Choice
	Weight int
	Asked  bool // by name, and not as a part of a mix
}

// The limits.
const (
	Anything = "anything" // all nodes may be hurt at once
	Majority = "majority" // a majority stays whole and connected
)

// MaxOverlap bounds how many faults may be in force at once.
const MaxOverlap = 5

// maxWeight bounds a card's weight.
const maxWeight = 100

// ItemError is a mistake in one item of a list.
type ItemError struct {
	Item int // from 0
	Err  error
}

func (e *ItemError) Error() string { return e.Err.Error() }

// Unwrap is the mistake alone.
func (e *ItemError) Unwrap() error { return e.Err }

// Parse understands what a test says of its faults.
func Parse(catalogue []nemesis.Fault, t Text) (Spec, error) {
	spec, err := ParseFaults(catalogue, t.Nemesis)
	if err != nil {
		return Spec{}, err
	}
	if t.Hold != "" {
		if spec.Hold, err = ParseHold(t.Hold); err != nil {
			return Spec{}, err
		}
	}
	if t.Gap != "" {
		if spec.Gap, err = ParseDist(t.Gap); err != nil {
			return Spec{}, err
		}
	}
	if t.Overlap != 0 {
		spec.Overlap = t.Overlap
	}
	if t.Limit != "" {
		spec.Limit = t.Limit
	}
	spec.Swarm = t.Swarm
	spec.Given = t.Hold != "" || t.Gap != ""
	if spec.longest() > spec.Spell {
		spec.Spell, spec.Rest = 0, 0 // it would leave faults out, or cut them
	}
	if t.Schedule != "" {
		spec.Cards = nil
		spec.Steps, err = ParseSteps(catalogue, t.Schedule)
	}
	return spec, err
}

// longest is how long a fault may take, its wait for its moment included.
func (s *Spec) longest() time.Duration {
	var wait time.Duration
	for _, card := range s.Cards {
		wait = max(wait, card.MostWait())
	}
	return wait + max(s.Hold.Most(), shortestHold)
}

// ParseFaults reads a list of faults and mixes. The pace is that of the last mix
// in it. The error is an *ItemError where one item is to blame.
func ParseFaults(catalogue []nemesis.Fault, text string) (Spec, error) {
	spec := Mixes()[0].pace()
	text = strings.TrimSpace(text)
	if text == "" || text == "none" {
		return spec, nil
	}
	for i, item := range Split(text, ',') {
		if err := spec.take(catalogue, item); err != nil {
			return Spec{}, &ItemError{i, err}
		}
	}
	if len(spec.Cards) == 0 {
		return Spec{}, fmt.Errorf(`nothing is left to draw from; say "none" for no faults`)
	}
	return spec, nil
}

// take takes one item of a list of faults.
func (s *Spec) take(catalogue []nemesis.Fault, item string) error {
	if item == "" {
		return fmt.Errorf("expected the name of a fault or of a mix between two commas")
	}
	if name, ok := strings.CutPrefix(item, "-"); ok {
		return s.leaveOut(catalogue, strings.TrimSpace(name))
	}
	if mix, ok := findMix(item); ok {
		cards, err := mix.cards(catalogue)
		if err != nil {
			return err
		}
		paced := mix.pace()
		paced.Cards = append(s.Cards, cards...)
		*s = paced
		return nil
	}
	weight := 1
	if text, times, ok := strings.Cut(item, "*"); ok {
		n, err := strconv.Atoi(strings.TrimSpace(times))
		if err != nil || n < 1 || n > maxWeight {
			return fmt.Errorf("%q: expected a whole number from 1 to %d after *, found %q", item, maxWeight, times)
		}
		item, weight = strings.TrimSpace(text), n
	}
	if err := known(catalogue, item); err != nil {
		return err
	}
	choice, err := nemesis.ParseChoice(catalogue, item)
	if err != nil {
		return err
	}
	s.Cards = append(s.Cards, Card{Choice: choice, Weight: weight, Asked: true})
	return nil
}

// known refuses what is neither a fault nor a mix, and names the nearest of both.
func known(catalogue []nemesis.Fault, item string) error {
	name := item
	if i := strings.IndexAny(item, "( "); i >= 0 {
		name = item[:i]
	}
	if _, ok := nemesis.Find(catalogue, name); ok {
		return nil
	}
	names := faultNames(catalogue)
	if _, ok := findMix(name); ok {
		return fmt.Errorf("%q: the mix %s takes neither a weight nor parentheses, and waits for no moment", item, name)
	}
	if hint := suggest.Hint(name, append(mixNames(), names...)); hint != "" {
		return fmt.Errorf("unknown fault %q%s", name, hint)
	}
	return fmt.Errorf("unknown fault %q; there are: %s; mixes: %s", name, strings.Join(names, ", "), strings.Join(mixNames(), ", "))
}

func faultNames(catalogue []nemesis.Fault) []string {
	var names []string
	for _, f := range catalogue {
		names = append(names, f.Name)
	}
	return names
}

// leaveOut takes a fault out of what a mix has brought.
func (s *Spec) leaveOut(catalogue []nemesis.Fault, name string) error {
	if _, ok := nemesis.Find(catalogue, name); !ok {
		return fmt.Errorf("-%s removes a fault that does not exist; %s", name, suggest.Among(name, faultNames(catalogue)))
	}
	n := len(s.Cards)
	s.Cards = slices.DeleteFunc(s.Cards, func(c Card) bool { return c.Fault.Name == name })
	if len(s.Cards) == n {
		return fmt.Errorf("-%s removes a fault that nothing before it has added", name)
	}
	return nil
}

// Split cuts a list at a separator that stands outside of parentheses.
func Split(text string, sep rune) []string {
	var items []string
	depth, from := 0, 0
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == sep && depth <= 0:
			items = append(items, strings.TrimSpace(text[from:i]))
			from = i + len(string(sep))
		}
	}
	return append(items, strings.TrimSpace(text[from:]))
}
