package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is a part of a command's flags, under a heading of its own.
type flagGroup struct {
	title string
	flags []string
}

// runGroups divide the flags of `squall run`.
var runGroups = []flagGroup{
	{"The test", []string{"system", "workload", "nodes", "time", "clients", "rate", "op-timeout", "seed", "profile", "mutant", "name"}},
	{"Faults", []string{"nemesis", "schedule", "plan", "hold", "gap", "overlap", "limit", "swarm"}},
	{"What must hold", []string{"recovery", "available-within", "stop-on", "threshold", "baseline", "tolerance", "check-time", "check-memory"}},
	{"Machines", []string{"runtime", "cpus", "memory", "trace", "disk-journal", "keep"}},
	{"Many runs", []string{"until", "max", "jobs"}},
	{"Output", []string{"out", "dry-run", "json", "junit", "summary", "verbose", "help"}},
}

// flagHelp is the part of a command's help that tells of its flags.
func flagHelp(cmd *cobra.Command) string {
	all := cmd.LocalFlags()
	if cmd.Name() != "run" {
		return "Flags:\n" + strings.TrimRight(all.FlagUsagesWrapped(columns()), "\n")
	}
	var parts []string
	for _, g := range grouped(all, runGroups) {
		set := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		set.SortFlags = false
		for _, name := range g.flags {
			set.AddFlag(all.Lookup(name))
		}
		parts = append(parts, fmt.Sprintf("%s:\n%s", g.title, strings.TrimRight(set.FlagUsagesWrapped(columns()), "\n")))
	}
	return strings.Join(parts, "\n\n")
}

// grouped is the groups without flags that are not there, and one more of those that no
// group has.
func grouped(all *pflag.FlagSet, groups []flagGroup) (out []flagGroup) {
	var known []string
	for _, g := range groups {
		flags := slices.DeleteFunc(slices.Clone(g.flags), func(name string) bool { return all.Lookup(name) == nil })
		known = append(known, flags...)
		out = append(out, flagGroup{g.title, flags})
	}
	others := flagGroup{title: "Others"}
	all.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && !slices.Contains(known, f.Name) {
			others.flags = append(others.flags, f.Name)
		}
	})
	if len(others.flags) > 0 {
		out = append(out, others)
	}
	return out
}
