package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"squall/internal/declare"
	"squall/internal/plain"
	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// faultListing is one fault of the catalogue, and one object of its JSON.
type faultListing struct {
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Doc      string            `json:"doc"`
	Params   []declare.Listing `json:"params"`
	Variants []variantListing  `json:"variants"`
	Needs    []needListing     `json:"needs"`
	// Excludes are the faults that must not be in force at the same time.
	Excludes []string `json:"excludes"`
	// SameNode are those of them that it excludes on the same node only.
	SameNode []string `json:"excludesOnSameNode"`
	MinNodes int      `json:"minNodes"`
	// Possible is whether it can be done here; nil when nobody was asked. Why is
	// the reason when it cannot.
	Possible *bool  `json:"possible,omitempty"`
	Why      string `json:"why,omitempty"`
}

type variantListing struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
	// Majority is whether a majority of five nodes stays whole and connected.
	Majority bool `json:"keepsMajorityOfFive"`
	// Needs is what must be known of the system under test to find it; "" is nothing.
	// Missing is why that is not known; "" when it is, or nobody was asked.
	Needs   string `json:"needs,omitempty"`
	Missing string `json:"missing,omitempty"`
}

type needListing struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
	// Missing is why it is not met here; "" when it is, or nobody was asked.
	Missing string `json:"missing,omitempty"`
}

// listFaults lists the catalogue, and asks the runtime and the system what can
// be done.
func (a *app) listFaults(ctx context.Context, runtimeName, systemName string, asJSON bool) error {
	for _, s := range [][2]string{{"system", systemName}, {"runtime", runtimeName}} {
		if err := checkSetting(s[0], s[1]); err != nil {
			return err
		}
	}
	test := testplan.DefaultTest()
	option, _ := testplan.FindOption("system")
	if err := option.Set(&test, systemName); err != nil {
		return usageError(err)
	}
	system, err := test.FindSystem()
	if err != nil {
		return usageError(err)
	}
	all := describeFaults()
	missing, err := a.abilities(ctx, runtimeName)
	if err != nil { // the list is worth something all the same
		plain.Fprintf(a.errOut, "whether they are available here is not known: %v\n", err)
	} else {
		for i := range all {
			all[i].ask(func(need nemesis.Need) string {
				if need.OfSystem() {
					return testplan.SystemCannot(system, need)
				}
				return missing[need]
			})
		}
	}
	if asJSON {
		return printJSON(a.out, all)
	}
	folded(a.out, func(w io.Writer) { printFaults(w, all) })
	return nil
}

// abilities asks a machine which needs cannot be met, and why.
func (a *app) abilities(ctx context.Context, runtimeName string) (map[nemesis.Need]string, error) {
	runtime, err := a.open(ctx, runtimeName, nil)
	if err != nil {
		return nil, err
	}
	defer runtime.close()
	fmt.Fprintln(a.errOut, runtime.line(ctx))
	return orchestrator.Abilities(ctx, runtime, a.build)
}

// ask notes which needs are not met.
func (f *faultListing) ask(missing func(nemesis.Need) string) {
	possible := true
	for i := range f.Needs {
		if f.Needs[i].Missing = missing(nemesis.Need(f.Needs[i].Name)); f.Needs[i].Missing != "" && possible {
			possible, f.Why = false, f.Needs[i].Missing
		}
	}
	f.Possible = &possible
	for i := range f.Variants {
		if v := &f.Variants[i]; v.Needs != "" {
			v.Missing = missing(nemesis.Need(v.Needs))
		}
	}
}

// describeFaults is the catalogue, without asking anybody.
func describeFaults() []faultListing {
	catalogue := faults.All()
	all := make([]faultListing, 0, len(catalogue))
	for _, f := range catalogue {
		item := faultListing{Name: f.Name, Kind: string(f.Kind), Doc: f.Doc, MinNodes: f.MinNodes,
			Params: f.Params.List(), Needs: []needListing{}, Excludes: []string{}, SameNode: []string{}}
		for _, v := range f.Variants {
			item.Variants = append(item.Variants, variantListing{Name: v.Name, Doc: v.Doc, Majority: v.KeepsMajority(5), Needs: string(v.Need)})
		}
		for _, n := range f.Needs {
			item.Needs = append(item.Needs, needListing{Name: string(n), Doc: n.Doc()})
		}
		for _, other := range catalogue {
			if !(nemesis.Claim{Fault: f}).Meets(nemesis.Claim{Fault: other}) {
				continue
			}
			item.Excludes = append(item.Excludes, other.Name)
			if !(nemesis.Claim{Fault: f, Nodes: []string{"n1"}}).Meets(nemesis.Claim{Fault: other, Nodes: []string{"n2"}}) {
				item.SameNode = append(item.SameNode, other.Name)
			}
		}
		all = append(all, item)
	}
	return all
}

// printFaults prints the catalogue for people, by kind.
func printFaults(w io.Writer, all []faultListing) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	kind := ""
	for _, f := range all {
		if f.Kind != kind {
			kind = f.Kind
			plain.Fprintf(table, "%s\n", kind)
		}
		mark := " "
		if f.Possible != nil && !*f.Possible {
			mark = "✗"
		}
		plain.Fprintf(table, "%s %s\t%s\n", mark, f.Name, f.Doc)
		for _, p := range f.Params {
			plain.Fprintf(table, "    %s=%s\t%s\n", p.Name, p.Default, paramText(p))
		}
		plain.Fprintf(table, "    hits\t%s\n", variantNames(f.Variants))
		for _, n := range f.Needs {
			plain.Fprintf(table, "    needs\t%s\n", n.Doc)
		}
		if f.Why != "" {
			plain.Fprintf(table, "    not available here:\t%s\n", f.Why)
		}
	}
	table.Flush()
}

func paramText(p declare.Listing) string {
	text := p.Doc
	if len(p.Words) > 0 && !strings.Contains(text, p.Words[0]+":") {
		text += " (" + strings.Join(p.Words, ", ") + ")"
	}
	if p.Min != "" {
		text += fmt.Sprintf(" (%s to %s)", p.Min, p.Max)
	}
	return text
}

func variantNames(variants []variantListing) string {
	var names []string
	for _, v := range variants {
		if v.Missing == "" {
			names = append(names, v.Name)
		}
	}
	if !slices.Contains(names, "all") || len(names) > 1 {
		names = append(names, "or nodes: n1+n2")
	}
	return strings.Join(names, ", ")
}
