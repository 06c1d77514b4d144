package declare

import "strings"

// Candidate is one way to go on with what was typed: the whole text, and what a
// shell shows beside it.
type Candidate struct{ Text, Doc string }

// Complete offers how a call may go on: with a name, a parameter, a value.
func Complete(all []Declaration, typed string) []Candidate {
	head, inside, bracket := strings.Cut(typed, "(")
	var found []Candidate
	for _, d := range all {
		switch {
		case bracket && d.Name == strings.TrimSpace(head):
			return d.complete(head+"(", inside)
		case !bracket && strings.HasPrefix(d.Name, head):
			found = append(found, Candidate{d.Name, d.Doc})
			if len(d.Params) > 0 {
				found = append(found, Candidate{d.Name + "(", "with parameters: " + strings.Join(d.Params.Names(), ", ")})
			}
		}
	}
	return found
}

// complete offers parameters that have no value yet, or the values of one.
func (d Declaration) complete(before, inside string) []Candidate {
	given, last := "", inside
	if i := strings.LastIndex(inside, ","); i >= 0 {
		given, last = inside[:i+1], inside[i+1:]
	}
	word := strings.TrimLeft(last, " ")
	before += given + last[:len(last)-len(word)]
	if name, _, named := strings.Cut(word, "="); named {
		p, _ := d.Params.Find(strings.TrimSpace(name))
		return p.complete(before + name + "=")
	}
	taken := map[string]bool{}
	call, _ := Scan("x(" + given + ")")
	for _, arg := range call.Args {
		taken[arg.Name] = true
	}
	var found []Candidate
	for _, p := range d.Params {
		if !taken[p.Name] && strings.HasPrefix(p.Name, word) {
			found = append(found, Candidate{before + p.Name + "=", p.Doc + " (" + p.Values() + "; default " + p.Default + ")"})
		}
	}
	return found
}

// complete offers the values that are worth offering.
func (p Param) complete(before string) []Candidate {
	values := p.Words
	switch {
	case p.Kind == Bool:
		values = []string{"true", "false"}
	case len(values) == 0 && p.Default != "":
		values = append([]string{p.Default}, p.Draw...)
	}
	var found []Candidate
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v] {
			continue
		}
		seen[v] = true
		doc := ""
		if v == p.Default {
			doc = "the default"
		}
		found = append(found, Candidate{before + p.quote(v), doc})
	}
	return found
}
