package check

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
)

// standing says what is known of a node at a moment, from faults and node events:
// ", cut off by fault 4 and still leader of term 4,"; "" when nothing is.
func standing(in *Input, node string, at int64) string {
	var parts []string
	for _, f := range faultsAt(in, at) {
		if slices.Contains(f.Targets, node) {
			parts = append(parts, fmt.Sprintf("%s fault %d (%s)", hitBy(f.Kind), f.ID, show(strings.TrimSpace(f.Name))))
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
	var newest *history.NodeEvent // who led the highest term by then
	for i := range in.Nodes {
		e := &in.Nodes[i]
		if e.Time > at {
			continue
		}
		if e.Node == node && (e.Kind == history.EventRole || e.Kind == history.EventExit) && (last == nil || e.Time >= last.Time) {
			last = e
		}
		if e.Kind == history.EventRole && e.Role == history.RoleLeader && (newest == nil || e.Term > newest.Term) {
			newest = e
		}
	}
	if last == nil || last.Kind != history.EventRole {
		return ""
	}
	if last.Role != history.RoleLeader {
		return fmt.Sprintf("a %s in term %d", show(last.Role), last.Term)
	}
	if newest != nil && newest.Term > last.Term && newest.Node != node {
		return fmt.Sprintf("still leader of term %d while %s led term %d", last.Term, show(newest.Node), newest.Term)
	}
	return fmt.Sprintf("leader of term %d", last.Term)
}

// elsewhere names the faults that held at a moment on other nodes: " Fault 4
// (partition) held on n3."
func elsewhere(in *Input, node string, at int64) string {
	const most = 3
	var out strings.Builder
	n := 0
	for _, f := range faultsAt(in, at) {
		if slices.Contains(f.Targets, node) {
			continue
		}
		if n++; n > most {
			out.WriteString(" Other faults held too.")
			break
		}
		fmt.Fprintf(&out, " Fault %d (%s) held", f.ID, show(f.Name))
		if len(f.Targets) > 0 {
			var names []string
			for _, t := range f.Targets {
				names = append(names, show(t))
			}
			fmt.Fprintf(&out, " on %s", strings.Join(names, ", "))
		}
		out.WriteString(".")
	}
	return out.String()
}
