package check

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
)

// Standing says what is known of a node at a moment, from faults and node events:
// ", cut off by fault 4 and still leader of term 4,"; "" when nothing is.
func Standing(in *Input, node string, at int64) string {
	var parts []string
	for _, f := range faultsAt(in, at) {
		if slices.Contains(f.Targets, node) {
			parts = append(parts, fmt.Sprintf("%s fault %d (%s)", hitBy(f.Kind), f.ID, history.Show(strings.TrimSpace(f.Name))))
		}
	}
	if role := roleAt(in, node, at); role != "" {
		parts = append(parts, role)
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, " and ") + ","
}

// hitBy is how a fault of a kind stands to the nodes that it hits.
func hitBy(k history.FaultKind) string {
	if k == history.KindPartition {
		return "cut off by"
	}
	return "under"
}

// faultsAt are the injections in force at a moment.
func faultsAt(in *Input, at int64) []history.Fault {
	healed := make(map[int]int64)
	for _, f := range in.Faults {
		if f.Phase == history.Heal {
			healed[f.ID] = f.Begin
		}
	}
	var out []history.Fault
	for _, f := range in.Faults {
		if f.Phase != history.Inject || f.Err != "" || f.Begin > at {
			continue
		}
		if end, is := healed[f.ID]; !is || end >= at {
			out = append(out, f)
		}
	}
	return out
}

// roleAt says what a node was at a moment by its own trace: "leader of term 4",
// "still leader of term 4 while n1 led term 5", "a follower in term 4".
func roleAt(in *Input, node string, at int64) string {
	last := (*history.NodeEvent)(nil)
	var led history.Leading
	for i := range in.Nodes {
		e := &in.Nodes[i]
		if e.Time > at {
			continue
		}
		if e.Node == node && (e.Kind == history.EventRole || e.Kind == history.EventExit) && (last == nil || e.Time >= last.Time) {
			last = e
		}
		led.Take(e)
	}
	if last == nil || last.Kind != history.EventRole {
		return ""
	}
	if !last.Leads() {
		return fmt.Sprintf("a %s in term %d", history.Show(last.Role), last.Term)
	}
	if led.Term > last.Term && led.Last != node {
		return fmt.Sprintf("still leader of term %d while %s led term %d", last.Term, history.Show(led.Last), led.Term)
	}
	return fmt.Sprintf("leader of term %d", last.Term)
}

// Elsewhere names the faults that held at a moment on other nodes: " Fault 4
// (partition) on n3 was in force at that moment."
func Elsewhere(in *Input, node string, at int64) string {
	const most = 3
	var held []string
	n := 0
	for _, f := range faultsAt(in, at) {
		if slices.Contains(f.Targets, node) {
			continue
		}
		if n++; n > most {
			continue
		}
		text := fmt.Sprintf("fault %d (%s)", f.ID, history.Show(strings.TrimSpace(f.Name)))
		if len(f.Targets) > 0 {
			var names []string
			for _, t := range f.Targets {
				names = append(names, history.Show(t))
			}
			text += " on " + Listed(names)
		}
		held = append(held, text)
	}
	switch {
	case n == 0:
		return ""
	case n == 1:
		return fmt.Sprintf(" %s was in force at that moment.", strings.Replace(held[0], "fault", "Fault", 1))
	case n > most:
		held = append(held, fmt.Sprintf("%d more", n-most))
	}
	return fmt.Sprintf(" In force at that moment: %s.", Listed(held))
}

// Listed joins names as people do: "n1", "n1 and n2", "n1, n2 and n3".
func Listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
