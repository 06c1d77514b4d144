package history

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"squall/internal/plain"
)

// Func is the name of what an operation does.
type Func string

// Function is what a history says of one of its functions. Text and Answer are
// templates for people. They name the operation's data in braces: {key}, {in} and
// {out}, an element of a list as {in.0}, a field of an object as {out.found}.
type Function struct {
	Name  Func `json:"name"`
	Reads bool `json:"reads,omitempty"` // it changes nothing: one that was not answered had no effect
	// Text tells what an operation is to do: "write({key}) ← {in}".
	Text string `json:"text"`
	// Answer is what an answer adds: " → {out}". An answer of true, or none, adds nothing.
	Answer string `json:"answer,omitempty"`
}

// Functions are all that the operations of a history do, by name, each once.
type Functions []Function

const (
	maxFunctions = 100
	maxTemplate  = 200 // bytes
)

// Index is the place of a function, from 0 on; -1 when there is none of that name.
func (fs Functions) Index(name Func) int {
	for i := range fs {
		if fs[i].Name == name {
			return i
		}
	}
	return -1
}

// Get is the function of that name. One that is not listed is told by its name and
// the key.
func (fs Functions) Get(name Func) Function {
	if i := fs.Index(name); i >= 0 {
		return fs[i]
	}
	return Function{Name: name, Text: string(name) + "({key})"}
}

// Have reports whether there is a function of that name.
func (fs Functions) Have(name Func) bool { return fs.Index(name) >= 0 }

// Reads reports whether an operation of that function changes nothing. Of one that
// is not listed, that is not known.
func (fs Functions) Reads(name Func) bool {
	i := fs.Index(name)
	return i >= 0 && fs[i].Reads
}

// Changed reports whether an operation certainly took effect: it was answered, and
// with more than what it found.
func (fs Functions) Changed(op *Op) bool {
	return op.Outcome == OK && !fs.Reads(op.Func) && (op.Func != CAS || op.Swapped())
}

// String lists the names, for people.
func (fs Functions) String() string {
	if len(fs) == 0 {
		return "none"
	}
	return strings.Join(fs.Names(), ", ")
}

// Names are the names, in the order of the list; nil where there are none.
func (fs Functions) Names() []string {
	var names []string
	for _, f := range fs {
		names = append(names, string(f.Name))
	}
	return names
}

// check refuses functions that no header lists.
func (fs Functions) check() error {
	if len(fs) > maxFunctions {
		return fmt.Errorf("%d functions are listed; at most %d can be", len(fs), maxFunctions)
	}
	for i, f := range fs {
		err := f.check()
		if fs[:i].Have(f.Name) {
			err = errors.New("it is listed twice")
		}
		if err != nil {
			return fmt.Errorf("the function %s: %w", plain.Excerpt([]byte(f.Name)), err)
		}
	}
	return nil
}

func (f Function) check() error {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	if f.Name == "" || len(f.Name) > maxName || strings.ContainsFunc(string(f.Name), odd) {
		return fmt.Errorf("a name is made of 1 to %d letters, digits, dashes and underscores", maxName)
	}
	for _, text := range []string{f.Text, f.Answer} {
		if err := checkTemplate(text); err != nil {
			return fmt.Errorf("the text %s: %w", plain.Excerpt([]byte(text)), err)
		}
	}
	if f.Text == "" {
		return errors.New("it has no text")
	}
	return nil
}

func checkTemplate(text string) error {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }
	if len(text) > maxTemplate || strings.ContainsFunc(text, odd) {
		return fmt.Errorf("it must be at most %d bytes that can be shown", maxTemplate)
	}
	if strings.Contains(text, "{}") {
		return errors.New("braces hold nothing")
	}
	for p := range Parts(text) {
		root, _, nested := strings.Cut(p.Name, ".")
		switch {
		case strings.ContainsAny(p.Literal, "{}"):
			return errors.New("a brace has no partner")
		case p.Name != "" && root != "in" && root != "out" && (root != "key" || nested):
			return fmt.Errorf("{%s} is neither {key} nor of {in} or {out}", p.Name)
		}
	}
	return nil
}

// checkData refuses what could not be read back.
func (op *Op) checkData() error {
	switch {
	case op.In != "" && !op.In.Valid():
		return fmt.Errorf("what was asked for is not one JSON value as data has it: %s", plain.Excerpt([]byte(op.In)))
	case op.Out != "" && !op.Out.Valid():
		return fmt.Errorf("what was answered is not one JSON value as data has it: %s", plain.Excerpt([]byte(op.Out)))
	case op.Out != "" && op.Outcome != OK:
		return fmt.Errorf("an operation with outcome %q has an answer, and cannot have one", op.Outcome)
	}
	return nil
}
