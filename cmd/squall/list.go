package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"squall/internal/declare"
	"squall/internal/plain"
	"squall/internal/suggest"
	"squall/nemesis"
	"squall/nemesis/schedule"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
)

// listing is one line of a list, and one object of its JSON.
type listing struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// callListing is a system or a workload in the JSON of its list.
type callListing struct {
	listing
	Params []declare.Listing `json:"params"`
}

// listWidth is how wide lists of parameters are, in characters.
const listWidth = 80

// lists are the names of all lists.
func lists() []string {
	return []string{"systems", "workloads", "models", "faults", "moments", "mixes", "mutants", "runs"}
}

func (a *app) listCommand() *cobra.Command {
	var asJSON bool
	defaults := testplan.DefaultTest()
	var out, runtime, system string
	cmd := &cobra.Command{
		Use:       "list [" + strings.Join(lists(), "|") + "]",
		Short:     "List systems, workloads, models, faults, moments, mixes of faults, mutants and runs",
		Args:      oneArg,
		ValidArgs: lists(),
		Long: `List what is available. For each fault it also says whether it works here; to
find out, it starts a machine and asks it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return a.listAll(out, asJSON)
			case args[0] == "faults":
				return a.listFaults(cmd.Context(), runtime, system, asJSON)
			}
			return a.listOne(args[0], out, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().StringVar(&out, "out", defaults.Out, "folder of the run directories")
	cmd.Flags().StringVar(&runtime, "runtime", defaults.Runtime, "where faults are asked for: auto, docker or local")
	cmd.Flags().StringVar(&system, "system", defaults.System, "system under test that faults are asked for")
	return cmd
}

// itemList is one of the lists that need neither machines nor a folder of runs.
type itemList struct {
	name  string
	json  func() any
	print func(w io.Writer) // for people
}

func itemLists() []itemList {
	return []itemList{
		withParams("systems", catalogue.SystemDeclarations()), withParams("workloads", catalogue.WorkloadDeclarations()),
		{"models", func() any { return describeModels() }, printModels},
		withDocs("moments", listMoments), withDocs("mixes", listMixes), {"mutants", func() any { return describeMutants() }, printMutants},
	}
}

// withDocs is a list of names with a line each.
func withDocs(name string, items func() []listing) itemList {
	return itemList{name, func() any { return items() }, func(w io.Writer) { printListing(w, items()) }}
}

// withParams is a list of what takes parameters, with these.
func withParams(name string, declared []declare.Declaration) itemList {
	return itemList{name, func() any {
		all := []callListing{}
		for _, d := range declared {
			all = append(all, callListing{listing{d.Name, d.Doc}, d.Params.List()})
		}
		return all
	}, func(w io.Writer) {
		for _, d := range declared {
			d.Print(w, listWidth)
		}
	}}
}

func (a *app) listAll(out string, asJSON bool) error {
	runs, err := testplan.ListRuns(out)
	if err != nil {
		return err
	}
	if asJSON {
		all := map[string]any{"runs": runs, "faults": describeFaults()}
		for _, c := range itemLists() {
			all[c.name] = c.json()
		}
		return printJSON(a.out, all)
	}
	folded(a.out, func(w io.Writer) { printAll(w, runs) })
	return nil
}

func printAll(w io.Writer, runs []testplan.RunInfo) {
	for _, c := range itemLists() {
		plain.Fprintf(w, "%s:\n", c.name)
		c.print(w)
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "faults:")
	printFaults(w, describeFaults())
	fmt.Fprintln(w)
	fmt.Fprintln(w, "runs:")
	printRuns(w, runs)
}

func (a *app) listOne(what, out string, asJSON bool) error {
	if what == "runs" {
		runs, err := testplan.ListRuns(out)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, runs)
		}
		printRuns(a.out, runs)
		if len(runs) == 0 {
			plain.Fprintf(a.out, "`%s run` makes one; this is the folder %s, and --out names another\n", a.program, out)
		}
		return nil
	}
	for _, c := range itemLists() {
		if c.name == what {
			if asJSON {
				return printJSON(a.out, c.json())
			}
			folded(a.out, c.print)
			return nil
		}
	}
	return usageError(fmt.Errorf("there is no list of %q; %s", what,
		suggest.Among(what, lists())))
}

func listMoments() (items []listing) {
	for _, m := range nemesis.Moments() {
		doc := m.Doc
		if m.Need != "" {
			doc += " (needs " + m.Need.Doc() + ")"
		}
		items = append(items, listing{Name: m.Name, Doc: doc})
	}
	return items
}

func listMixes() (items []listing) {
	for _, m := range schedule.Mixes() {
		items = append(items, listing{Name: m.Name, Doc: m.Doc})
	}
	return items
}

func printListing(w io.Writer, items []listing) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, item := range items {
		plain.Fprintf(table, "  %s\t%s\n", item.Name, item.Doc)
	}
	table.Flush()
}

func printRuns(w io.Writer, runs []testplan.RunInfo) {
	if len(runs) == 0 {
		fmt.Fprintln(w, "  none yet")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  #\tverdict\toperations ok\tleaders lost\trun")
	for i, r := range runs {
		verdict := string(r.Verdict)
		switch {
		case r.Running:
			verdict = "running"
		case r.Broken:
			verdict = "killed, not checked"
		case verdict == "":
			verdict = "not checked"
		}
		if r.Stopped != "" {
			verdict += ", " + firstLine(r.Stopped)
		}
		plain.Fprintf(table, "  %d\t%s\t%d\t%d\t%s\n", i+1, verdict, r.OpsOK, r.Losses, strings.TrimSpace(r.Dir))
	}
	table.Flush()
}
