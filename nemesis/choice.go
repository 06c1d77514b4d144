package nemesis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"squall/internal/suggest"
)

// Choice is a fault as it was asked for: with the variants to draw from, and
// the parameters that were given.
type Choice struct {
	Fault    Fault
	Variants []Variant
	// Nodes are the nodes that were named, in place of variants.
	Nodes []string
	Args  Args
}

// nodePattern is a list of nodes: n1, n1+n3.
var nodePattern = regexp.MustCompile(`^n[0-9]+(\+n[0-9]+)*$`)

// ParseChoice reads "kill", "kill(leader)", "kill(n1+n2)",
// "delay(50ms±10ms, leader)" or "loss(share=5%, variant=one)". A fault without
// a variant stands for all of its variants.
func ParseChoice(catalogue []Fault, text string) (Choice, error) {
	text = strings.TrimSpace(text)
	name, inside, bracket := strings.Cut(text, "(")
	name = strings.TrimSpace(name)
	fault, ok := Find(catalogue, name)
	if !ok {
		return Choice{}, unknownFault(catalogue, name)
	}
	choice := Choice{Fault: fault, Args: Args{}}
	if bracket {
		inner, ok := strings.CutSuffix(strings.TrimSpace(inside), ")")
		if !ok {
			return Choice{}, fmt.Errorf("fault %q: the parenthesis is not closed", text)
		}
		for arg := range strings.SplitSeq(inner, ",") {
			if arg = strings.TrimSpace(arg); arg == "" {
				continue
			}
			if err := choice.take(arg); err != nil {
				return Choice{}, fmt.Errorf("fault %s: %w", name, err)
			}
		}
	}
	if choice.Variants == nil && choice.Nodes == nil {
		choice.Variants = choice.Fault.Variants
	}
	if check := choice.Fault.Check; check != nil {
		if err := check(choice.Fault.Fill(choice.Args, nil)); err != nil {
			return Choice{}, fmt.Errorf("fault %s: %w", name, err)
		}
	}
	return choice, nil
}

func unknownFault(catalogue []Fault, name string) error {
	var all []string
	for _, f := range catalogue {
		all = append(all, f.Name)
	}
	return fmt.Errorf("unknown fault %q; %s", name, suggest.Among(name, all))
}

// take takes one of what stands in the parentheses.
func (c *Choice) take(arg string) error {
	if key, value, named := strings.Cut(arg, "="); named {
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if key == "variant" || key == "target" {
			return c.aim(value)
		}
		p, ok := c.Fault.Param(key)
		if !ok {
			return fmt.Errorf("there is no parameter %q%s; %s", key, suggest.Hint(key, c.Fault.words()), c.Fault.usage())
		}
		return c.set(p, value)
	}
	if _, ok := c.Fault.Variant(arg); ok || nodePattern.MatchString(arg) {
		return c.aim(arg)
	}
	return c.position(arg)
}

// aim sets whom the fault hits.
func (c *Choice) aim(whom string) error {
	if c.Variants != nil || c.Nodes != nil {
		return fmt.Errorf("it is told twice whom to hit: %q is too much", whom)
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

// position gives a value without a name to the first parameter that has none
// yet and that it fits.
func (c *Choice) position(value string) error {
	for _, p := range c.Fault.Params {
		if _, taken := c.Args[p.Name]; taken {
			continue
		}
		main, _, _ := strings.Cut(value, "±")
		if p.Kind == Word && !slices.Contains(p.Words, value) {
			continue
		}
		if _, err := p.value(main); p.Kind != Word && err != nil {
			continue
		}
		return c.set(p, value)
	}
	return fmt.Errorf("%q is neither a variant nor the value of a parameter%s; %s", value, suggest.Hint(value, c.Fault.words()), c.Fault.usage())
}

func (c *Choice) set(p Param, value string) error {
	if main, spread, ok := strings.Cut(value, "±"); ok && p.Spread != "" {
		other, _ := c.Fault.Param(p.Spread)
		if err := c.set(other, strings.TrimSpace(spread)); err != nil {
			return err
		}
		value = strings.TrimSpace(main)
	}
	if _, taken := c.Args[p.Name]; taken {
		return fmt.Errorf("%s is set twice", p.Name)
	}
	canon, err := p.Canon(value)
	if err != nil {
		return err
	}
	c.Args[p.Name] = canon
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
	return words
}

// usage names the variants and parameters of a fault.
func (f Fault) usage() string {
	var variants, params []string
	for _, v := range f.Variants {
		variants = append(variants, v.Name)
	}
	for _, p := range f.Params {
		params = append(params, fmt.Sprintf("%s (%s)", p.Name, p.Kind))
	}
	text := "its variants are " + strings.Join(variants, ", ") + ", or nodes as n1+n2"
	if len(params) > 0 {
		text += "; its parameters " + strings.Join(params, ", ")
	}
	return text
}

// String is the choice as it is written: ParseChoice reads it back.
func (c Choice) String() string {
	var args []string
	for _, p := range c.Fault.Params {
		if v, ok := c.Args[p.Name]; ok {
			args = append(args, p.Name+"="+v)
		}
	}
	switch {
	case c.Nodes != nil:
		args = append(args, strings.Join(c.Nodes, "+"))
	case len(c.Variants) == 1 && len(c.Fault.Variants) > 1:
		args = append(args, c.Variants[0].Name)
	}
	if len(args) == 0 {
		return c.Fault.Name
	}
	return c.Fault.Name + "(" + strings.Join(args, ", ") + ")"
}
