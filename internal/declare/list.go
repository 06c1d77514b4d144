package declare

import (
	"io"
	"strings"
	"unicode/utf8"

	"squall/internal/plain"
)

// Listing is one parameter in the JSON of a list.
type Listing struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Unit    string   `json:"unit,omitempty"`
	Doc     string   `json:"doc"`
	Default string   `json:"default"`
	Drawn   []string `json:"drawnFrom,omitempty"` // by a schedule that is told no value
	Min     string   `json:"min,omitempty"`
	Max     string   `json:"max,omitempty"`
	Words   []string `json:"words,omitempty"`
	Parts   []string `json:"parts,omitempty"` // what each weight is of
}

// List is the parameters for JSON; never nil.
func (ps Params) List() []Listing {
	all := make([]Listing, 0, len(ps))
	for _, p := range ps {
		all = append(all, Listing{Name: p.Name, Type: string(p.Kind), Unit: p.Unit, Doc: p.Doc, Default: p.Default,
			Drawn: p.Draw, Min: p.Min, Max: p.Max, Words: p.Words, Parts: p.Parts})
	}
	return all
}

// Values says for people what the values of a parameter are: "whole number, 1 to
// 1000 keys".
func (p Param) Values() string {
	text := string(p.Kind)
	switch {
	case len(p.Words) > 0:
		text = strings.Join(p.Words, ", ")
	case len(p.Parts) > 0:
		text += " of " + strings.Join(p.Parts, "/")
	}
	if p.Min != "" {
		text += ", " + p.Min + " to " + p.Max
	}
	if p.Unit != "" {
		text += " " + p.Unit
	}
	return text
}

// Print prints a declaration for people, in lines of at most width characters
// where its words allow that: its name, and each parameter with its default.
func (d Declaration) Print(w io.Writer, width int) {
	const gap, indent = 2, 2
	column := utf8.RuneCountInString(d.Name)
	for _, p := range d.Params {
		column = max(column, indent+utf8.RuneCountInString(p.Name+"="+p.Default))
	}
	entry := func(head string, paragraphs ...string) {
		for _, paragraph := range paragraphs {
			for _, line := range Wrap(paragraph, width-column-gap-indent) {
				pad := strings.Repeat(" ", column-utf8.RuneCountInString(head)+gap)
				plain.Fprintf(w, "  %s%s%s\n", head, pad, line)
				head = ""
			}
		}
	}
	entry(d.Name, d.Doc)
	for _, p := range d.Params {
		entry(strings.Repeat(" ", indent)+p.Name+"="+p.quote(p.Default), p.Doc, p.Values())
	}
}

// Wrap breaks a text at its spaces into lines of at most width characters, but for
// words that are longer.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
