package main

import (
	"fmt"
	"io"
	"strings"

	"squall/internal/declare"
	"squall/internal/plain"
	"squall/nodeimage/mutants"
)

// mutantListing is a known bug in the JSON of its list.
type mutantListing struct {
	listing
	Group    string   `json:"group"`
	Bug      int      `json:"bug,omitempty"` // its number in docs/known-bugs.md
	Origin   string   `json:"origin"`
	SeenBy   []string `json:"seenBy"`
	CaughtBy string   `json:"caughtBy,omitempty"`
	Scenario string   `json:"scenario"`
}

// describeMutants are all known bugs, by group. A patch in the sources that is
// damaged is said where it would stand.
func describeMutants() (items []mutantListing) {
	all, err := mutants.All()
	if err != nil {
		return []mutantListing{{listing: listing{Name: "!", Doc: err.Error()}}}
	}
	for _, group := range mutants.Groups() {
		for _, m := range all {
			if m.Group == group {
				items = append(items, mutantListing{listing{m.Name, m.Summary}, m.Group, m.Bug, m.Origin, m.SeenBy, m.CaughtBy, m.Scenario})
			}
		}
	}
	return items
}

// listMutants are the known bugs with a line each.
func listMutants() (items []listing) {
	for _, m := range describeMutants() {
		items = append(items, m.listing)
	}
	return items
}

// printMutants prints the known bugs for people, by group: what is wrong, who had
// it, and what shows it.
func printMutants(w io.Writer) {
	group := ""
	for _, m := range describeMutants() {
		if m.Group != group {
			group = m.Group
			plain.Fprintf(w, "  %s\n", group)
		}
		plain.Fprintf(w, "    %s\n", m.Name)
		paragraphs := []string{m.Doc}
		if m.Group != "" {
			paragraphs = append(paragraphs, "from: "+m.Origin, m.evidence())
		}
		for _, p := range paragraphs {
			for _, line := range declare.Wrap(p, listWidth-len("      ")) {
				plain.Fprintf(w, "      %s\n", line)
			}
		}
	}
}

// evidence says what shows the bug.
func (m *mutantListing) evidence() string {
	by := "no check yet"
	if m.CaughtBy != "" {
		by = "the check " + m.CaughtBy
	}
	return fmt.Sprintf("seen by: %s; caught by %s", strings.Join(m.SeenBy, ", "), by)
}
