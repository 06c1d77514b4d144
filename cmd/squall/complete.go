package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"squall/internal/declare"
	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/orchestrator/testplan"
)

// completeOptions offers the values of options that have some.
func completeOptions(cmd *cobra.Command) {
	for _, option := range testplan.Options() {
		if cmd.Flags().Lookup(option.Name) == nil {
			continue
		}
		var offer cobra.CompletionFunc
		switch {
		case option.Name == "nemesis":
			offer = completeNemesis
		case len(option.Declared) > 0:
			offer = completeCall(option.Declared, option.Files)
		case option.Name == "mutant":
			offer = cobra.FixedCompletions(described(listMutants()), cobra.ShellCompDirectiveNoFileComp)
		case option.Name == "out":
			offer = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
		case len(option.Choices) > 0:
			offer = cobra.FixedCompletions(option.Choices, cobra.ShellCompDirectiveNoFileComp)
		default:
			offer = cobra.NoFileCompletions
		}
		// It fails only for flags that are not there, or that were given one before.
		_ = cmd.RegisterFlagCompletionFunc(option.Name, offer)
	}
}

// described are items with what shells show beside them.
func described(items []listing) []cobra.Completion {
	var all []cobra.Completion
	for _, item := range items {
		all = append(all, cobra.CompletionWithDesc(item.Name, item.Doc))
	}
	return all
}

// completeNemesis offers faults and mixes for the last item of a list.
func completeNemesis(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := ""
	if i := strings.LastIndex(typed, ","); i >= 0 {
		before = typed[:i+1]
	}
	if i := strings.LastIndex(typed, " "); i >= len(before) {
		return completeAim(typed[:i+1], typed[i+1:]), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	var all []cobra.Completion
	for _, mix := range schedule.Mixes() {
		all = append(all, cobra.CompletionWithDesc(before+mix.Name, "mix: "+mix.Doc))
	}
	for _, fault := range faults.All() {
		all = append(all, cobra.CompletionWithDesc(before+fault.Name, fault.Doc))
	}
	if before == "" {
		all = append(all, cobra.CompletionWithDesc("none", "no faults"))
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeAim offers what stands behind a fault: the moment at which it begins.
func completeAim(before, word string) (all []cobra.Completion) {
	if !strings.HasPrefix(word, "when=") {
		for _, p := range nemesis.AimParams() {
			all = append(all, cobra.CompletionWithDesc(before+p.Name+"=", p.Doc))
		}
		return all
	}
	for _, m := range nemesis.Moments() {
		all = append(all, cobra.CompletionWithDesc(before+"when="+m.Name, m.Doc))
	}
	return all
}

// completeCall offers systems or workloads, and inside their parentheses parameters
// and values.
func completeCall(declared []declare.Declaration, files bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if files && testplan.IsSystemFile(typed) {
			return completeTestFiles(cmd, args, typed)
		}
		var all []cobra.Completion
		for _, c := range declare.Complete(declared, typed) {
			all = append(all, cobra.CompletionWithDesc(c.Text, c.Doc))
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// completeRuns offers run directories below out, newest first.
func completeRuns(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	out := testplan.DefaultTest().Out
	if flag := cmd.Flags().Lookup("out"); flag != nil {
		out = flag.Value.String()
	}
	runs, err := testplan.ListRuns(out)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var all []cobra.Completion
	for _, run := range runs {
		if strings.HasPrefix(run.Dir, typed) {
			all = append(all, cobra.CompletionWithDesc(run.Dir, string(run.Verdict)))
		}
	}
	if len(all) == 0 { // one elsewhere may be meant
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return slices.Clip(all), cobra.ShellCompDirectiveKeepOrder
}

// completeTestFiles offers YAML files.
func completeTestFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}
