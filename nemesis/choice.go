package nemesis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"squall/internal/declare"
	"squall/internal/suggest"
)

// Choice is a fault as it was asked for: with the variants to draw from, and
// the parameters that were given.
type Choice struct {
	Fault    Fault
	Variants []Variant
	// Nodes are the nodes that were named, in place of variants.
	Nodes []string
	Args  declare.Args
	// Aim are the parameters of AimParams that were given; nil: it waits for no moment.
	Aim declare.Args
}

// nodePattern is a list of nodes: n1, n1+n3.
var nodePattern = regexp.MustCompile(`^n[0-9]+(\+n[0-9]+)*$`)

// ParseChoice reads "kill", "kill(leader)", "kill(n1+n2)",
// "delay(50ms±10ms, leader)", "loss(share=5%, variant=one)", or "pause(leader)
// when=leader-elected after=0ms-50ms". A fault without a variant stands for all of its
// variants.
func ParseChoice(catalogue []Fault, text string) (Choice, error) {
	text, behind := cutAim(strings.TrimSpace(text))
	call, scanErr := declare.Scan(text)
	fault, ok := Find(catalogue, call.Name)
	if !ok {
		return Choice{}, unknownFault(catalogue, call.Name)
	}
	if scanErr != nil {
		return Choice{}, fmt.Errorf("fault %q: %w", text, scanErr)
	}
	choice := Choice{Fault: fault, Args: declare.Args{}}
	for _, arg := range call.Args {
		if err := choice.take(arg); err != nil {
			return Choice{}, fmt.Errorf("fault %s: %w", fault.Name, err)
		}
	}
	if err := choice.takeAim(behind); err != nil {
		return Choice{}, fmt.Errorf("fault %s: %w", fault.Name, err)
	}
	if choice.Variants == nil && choice.Nodes == nil {
		choice.Variants = choice.Fault.Variants
	}
	if err := choice.checkAim(); err != nil {
		return Choice{}, fmt.Errorf("fault %s: %w", fault.Name, err)
	}
	if check := choice.Fault.Check; check != nil {
		if err := check(choice.Fault.Params.Fill(choice.Args, nil)); err != nil {
			return Choice{}, fmt.Errorf("fault %s: %w", fault.Name, err)
		}
	}
	return choice, nil
}

// cutAim cuts off what stands behind a fault and its parentheses.
func cutAim(text string) (fault, behind string) {
	if i := strings.LastIndexByte(text, ')'); i >= 0 {
		return text[:i+1], text[i+1:]
	}
	if strings.ContainsRune(text, '(') { // it is not closed: Scan says so
		return text, ""
	}
	fault, behind, _ = strings.Cut(text, " ")
	return fault, behind
}

func unknownFault(catalogue []Fault, name string) error {
	var all []string
	for _, f := range catalogue {
		all = append(all, f.Name)
	}
	return fmt.Errorf("unknown fault %q; %s", name, suggest.Among(name, all))
}

// take takes one of what stands in the parentheses.
func (c *Choice) take(arg declare.Arg) error {
	params := c.Fault.Params
	if arg.Named {
		if arg.Name == "variant" || arg.Name == "target" {
			return c.aim(arg.Value)
		}
		if isAim(arg.Name) {
			return c.setAim(arg.Name, arg.Value)
		}
		p, ok := params.Find(arg.Name)
		if !ok {
			return fmt.Errorf("there is no parameter %q%s; %s", arg.Name, suggest.Hint(arg.Name, c.Fault.words()), c.Fault.usage())
		}
		return params.Set(c.Args, p, arg.Value)
	}
	if _, ok := c.Fault.Variant(arg.Value); ok || nodePattern.MatchString(arg.Value) {
		return c.aim(arg.Value)
	}
	p, ok := params.Position(c.Args, arg.Value)
	if !ok {
		return fmt.Errorf("%q is neither a variant nor the value of a parameter%s; %s", arg.Value, suggest.Hint(arg.Value, c.Fault.words()), c.Fault.usage())
	}
	return params.Set(c.Args, p, arg.Value)
}

// aim sets whom the fault hits.
func (c *Choice) aim(whom string) error {
	if c.Variants != nil || c.Nodes != nil {
		return fmt.Errorf("its target is given twice: remove %q", whom)
	}
	if v, ok := c.Fault.Variant(whom); ok {
		c.Variants = []Variant{v}
		return nil
	}
	if !nodePattern.MatchString(whom) {
		return fmt.Errorf("unknown variant %q%s; %s", whom, suggest.Hint(whom, c.Fault.words()), c.Fault.usage())
	}
	c.Nodes = strings.Split(whom, "+")
	sorted := slices.Sorted(slices.Values(c.Nodes))
	if len(slices.Compact(sorted)) != len(c.Nodes) {
		return fmt.Errorf("a node is named twice in %q", whom)
	}
	return nil
}

// words are what may be written in the parentheses of a fault.
func (f Fault) words() []string {
	var words []string
	for _, v := range f.Variants {
		words = append(words, v.Name)
	}
	for _, p := range f.Params {
		words = append(append(words, p.Name), p.Words...)
	}
	return append(words, AimParams().Names()...)
}

// usage names the variants and parameters of a fault.
func (f Fault) usage() string {
	var variants []string
	for _, v := range f.Variants {
		variants = append(variants, v.Name)
	}
	text := "its variants are " + strings.Join(variants, ", ") + ", or nodes as n1+n2"
	if len(f.Params) > 0 {
		text += "; its parameters " + f.Params.Usage()
	}
	return text
}

// Chosen is the choice that asks for a planned fault as it is. Every parameter is given:
// others would be drawn again.
func Chosen(fault Fault, p Planned) Choice {
	c := Choice{Fault: fault, Nodes: p.Nodes, Args: p.Params, Aim: p.Aim.params()}
	if v, ok := fault.Variant(p.Variant); ok && len(p.Nodes) == 0 {
		c.Variants = []Variant{v}
	}
	return c
}

// String is the choice as it is written: ParseChoice reads it back.
func (c Choice) String() string {
	var args []string
	if len(c.Args) > 0 {
		args = append(args, c.Fault.Params.String(c.Args))
	}
	switch {
	case c.Nodes != nil:
		args = append(args, strings.Join(c.Nodes, "+"))
	case len(c.Variants) == 1 && len(c.Fault.Variants) > 1:
		args = append(args, c.Variants[0].Name)
	}
	if len(args) == 0 {
		return c.Fault.Name + c.aimText()
	}
	return c.Fault.Name + "(" + strings.Join(args, ", ") + ")" + c.aimText()
}
