package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
)

// factsOf are what the run was of, for the record at the end of the page.
func factsOf(r *run) []fact {
	h := r.history.Header
	facts := []fact{
		{"System", cmp.Or(h.System, r.plan.get("test", "system"))},
		{"Workload", cmp.Or(h.Workload, r.plan.get("test", "workload"))},
		{"Mutant", r.plan.get("test", "mutant")},
	}
	if len(h.Nodes) > 0 {
		facts = append(facts, fact{"Nodes", fmt.Sprintf("%d (%s)", len(h.Nodes), plain.Clip(strings.Join(h.Nodes, ", "), 80))})
	}
	seed := r.plan.get("test", "seed")
	if r.historyErr == nil {
		seed = fmt.Sprint(h.Seed)
		facts = append(facts, fact{"Began", h.Wall.UTC().Format("2 January 2006, 15:04:05 UTC")},
			fact{"Took", durationOf(r.history)})
	}
	facts = append(facts, fact{"Runtime", r.env.get("runtime")}, fact{"Clocks", clockText(r.results.Clocks)})
	facts = append(facts, fact{"Seed", seed}, fact{"squall", cmp.Or(h.Squall, r.plan.get("squall"))})
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// about is what the run was of, in a few words each: they stand in one line.
func about(r *run) []fact {
	words := map[string]string{"Mutant": "mutant ", "Seed": "seed ", "squall": "squall "}
	var line []fact
	for _, f := range factsOf(r) {
		switch f.Name {
		case "Clocks":
			continue
		case "Nodes":
			line = append(line, fact{strings.Join(r.history.Header.Nodes, ", "), plural(len(r.history.Header.Nodes), "node")})
			continue
		case "Runtime":
			f.Value, _, _ = strings.Cut(f.Value, ";") // where its disks are matters less
		}
		line = append(line, fact{f.Name, words[f.Name] + f.Value})
	}
	for i := range line {
		line[i].Name, line[i].Value = plain.Clip(line[i].Name, 200), plain.Clip(line[i].Value, maxShownText)
	}
	return line
}

// hostFacts are what was seen of the computer that the test ran on.
func hostFacts(r *run) []fact {
	facts := []fact{
		{"Before the test", plain.Clip(r.env.get("load", "words", "before"), maxShownText)},
		{"During the test", plain.Clip(r.env.get("load", "words", "during"), maxShownText)},
		{"Overloaded", plain.Clip(r.env.get("load", "overloaded"), maxShownText)},
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// clockText says how exact the times are that were not taken by the machines.
func clockText(c measure.Clocks) string {
	switch {
	case c.Compared == 0:
		return ""
	case c.One:
		return "one clock, shared by the machines and squall"
	}
	return fmt.Sprintf("two clocks: times of faults are within ±%s of the machines’ clock, which operations and elections use",
		number.Millis(measure.Millis(float64(c.ErrorNs)/1e6)))
}

// durationOf is how long a test took, of which how much was load.
func durationOf(h *history.History) string {
	end := measure.TestEnd(h)
	for _, m := range h.Marks {
		if m.Name == history.MarkDone {
			end = max(end, m.Time-h.Mono)
		}
	}
	return fmt.Sprintf("%s s, %s s of it under load",
		number.Decimals(float64(end)/1e9, 1), number.Decimals(measure.LoadWindow(h).Seconds(), 1))
}

func historyFacts(r *run) []fact {
	h := r.results.History
	facts := []fact{{"Records", number.Count(h.Records)}, {"Size", number.Bytes(h.Bytes)}}
	if ops := r.results.Ops.Total; ops > 0 && h.Bytes > 0 {
		facts = append(facts, fact{"Per operation", fmt.Sprintf("%s bytes", number.Decimals(float64(h.Bytes)/float64(ops), 1))})
	}
	whole := "yes"
	if h.Truncated != "" {
		whole = "no: " + h.Truncated
	}
	return append(facts, fact{"Whole", whole})
}
