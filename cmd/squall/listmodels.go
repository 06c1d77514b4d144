package main

import (
	"io"
	"text/tabwriter"

	"squall/history"
	"squall/history/check/linearizable"
	"squall/internal/plain"
)

// modelListing is a model in the JSON of its list.
type modelListing struct {
	listing
	Functions history.Functions `json:"functions"` // as the header of a history lists them
}

func describeModels() []modelListing {
	all := []modelListing{}
	for _, m := range linearizable.Models() {
		all = append(all, modelListing{listing{m.Name, m.Doc}, m.Functions})
	}
	return all
}

// printModels prints the models for people, with what their operations are called.
func printModels(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range describeModels() {
		plain.Fprintf(table, "  %s\t%s\n", m.Name, m.Doc)
		plain.Fprintf(table, "\t  functions: %s\n", m.Functions)
	}
	table.Flush()
}
