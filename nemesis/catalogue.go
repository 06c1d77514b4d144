package nemesis

import (
	"context"
	"fmt"
	"strings"

	"squall/history"
)

// Fault is one entry of the catalogue.
type Fault struct {
	Name     string
	Doc      string
	Needs    string // what it asks of a machine, for people
	Variants []Variant
	// MinNodes is the smallest cluster in which the fault means anything.
	MinNodes int

	// inject begins the fault; the injury that it returns is healed later even
	// when inject failed half-way.
	inject func(ctx context.Context, c Cluster, p Planned, f *history.Fault) (injury, error)
}

// Variant is one way of choosing whom a fault hits.
type Variant struct {
	Name string
	Doc  string
	// Leader is true when it hits the leader of the moment, and nothing else.
	Leader bool
}

// injury is a fault that holds.
type injury interface {
	// heal undoes it and proves that it is gone. It is idempotent.
	heal(ctx context.Context, c Cluster) (proof []string, err error)
}

// All is the catalogue.
func All() []Fault {
	return []Fault{partition(), kill(), pause()}
}

// Choice is a fault that a test may use, with the variants to draw from.
type Choice struct {
	Fault    Fault
	Variants []Variant
}

// Parse reads a list such as "partition,kill(leader),pause" or "none". A
// fault without a variant in parentheses stands for all of its variants.
func Parse(list string) ([]Choice, error) {
	list = strings.TrimSpace(list)
	if list == "" || list == "none" {
		return nil, nil
	}
	var choices []Choice
	for item := range strings.SplitSeq(list, ",") {
		choice, err := parseOne(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		choices = append(choices, choice)
	}
	return choices, nil
}

func parseOne(item string) (Choice, error) {
	name, variant, bracket := strings.Cut(item, "(")
	if bracket {
		if !strings.HasSuffix(variant, ")") {
			return Choice{}, fmt.Errorf("fault %q: the parenthesis is not closed", item)
		}
		variant = strings.TrimSuffix(variant, ")")
	}
	fault, ok := find(name)
	if !ok {
		return Choice{}, fmt.Errorf("unknown fault %q; there are: %s", name, strings.Join(names(), ", "))
	}
	if !bracket {
		return Choice{Fault: fault, Variants: fault.Variants}, nil
	}
	for _, v := range fault.Variants {
		if v.Name == variant {
			return Choice{Fault: fault, Variants: []Variant{v}}, nil
		}
	}
	known := make([]string, len(fault.Variants))
	for i, v := range fault.Variants {
		known[i] = v.Name
	}
	return Choice{}, fmt.Errorf("fault %s has no variant %q; it has: %s", name, variant, strings.Join(known, ", "))
}

func find(name string) (Fault, bool) {
	for _, f := range All() {
		if f.Name == name {
			return f, true
		}
	}
	return Fault{}, false
}

func names() []string {
	var all []string
	for _, f := range All() {
		all = append(all, f.Name)
	}
	return all
}
