package declare

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"squall/internal/suggest"
)

// Error is a mistake in a call, with its place. Its text is that of Err alone.
type Error struct {
	Column int    // from 1, in characters of the text; 0 where it is not known
	Param  string // "" where it is of none, or of several
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the mistake alone.
func (e *Error) Unwrap() error { return e.Err }

// Call is name(value, param=value, …) as it was written.
type Call struct {
	Name   string
	Column int // of the name, from 1
	Args   []Arg
}

// Arg is one of what stands in the parentheses.
type Arg struct {
	Name        string // "" where only a value was given
	Value       string // without its quotes
	Text        string // as it was written
	Column      int    // from 1
	ValueColumn int
	Named       bool
}

// Scan cuts a call into its parts. The parentheses may be left out, and what is
// empty between two commas counts for nothing. With an error, the *Error that the
// parenthesis is not closed, the call has its name.
func Scan(text string) (Call, error) {
	head, inside, bracket := strings.Cut(text, "(")
	call := Call{Name: strings.TrimSpace(head), Column: 1 + indent(head)}
	if !bracket {
		return call, nil
	}
	column := 1 + utf8.RuneCountInString(head)
	inner, closed := strings.CutSuffix(strings.TrimRightFunc(inside, unicode.IsSpace), ")")
	if !closed {
		return call, &Error{Column: column, Err: errors.New("the parenthesis is not closed")}
	}
	column++
	for {
		one, more := nextArg(inner)
		if arg := newArg(one, column); arg.Text != "" {
			call.Args = append(call.Args, arg)
		}
		if !more {
			return call, nil
		}
		column += utf8.RuneCountInString(one) + 1
		inner = inner[len(one)+1:]
	}
}

// nextArg is what stands before the first comma outside of quotes.
func nextArg(text string) (arg string, more bool) {
	start := true // where a value may begin, and so a quote
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ',':
			return text[:i], true
		case c == '"' && start:
			if quoted, err := strconv.QuotedPrefix(text[i:]); err == nil {
				i += len(quoted) - 1
			}
			start = false
		case c != ' ':
			start = c == '='
		}
	}
	return text, false
}

func newArg(text string, column int) Arg {
	arg := Arg{Text: strings.TrimSpace(text), Column: column + indent(text)}
	arg.ValueColumn, arg.Value = arg.Column, arg.Text
	if name, value, named := strings.Cut(arg.Text, "="); named && !strings.HasPrefix(arg.Text, `"`) {
		arg.Named, arg.Name, arg.Value = true, strings.TrimSpace(name), strings.TrimSpace(value)
		arg.ValueColumn += utf8.RuneCountInString(name) + 1 + indent(value)
	}
	if whole, err := strconv.Unquote(arg.Value); err == nil && strings.HasPrefix(arg.Value, `"`) {
		arg.Value = whole
	}
	return arg
}

// indent counts the white space that a text begins with.
func indent(text string) int {
	return utf8.RuneCountInString(text) - utf8.RuneCountInString(strings.TrimLeftFunc(text, unicode.IsSpace))
}

// Set gives a parameter its value; what follows a ± is that of its spread.
func (ps Params) Set(args Args, p Param, value string) error {
	if main, spread, ok := strings.Cut(value, "±"); ok && p.Spread != "" {
		other, _ := ps.Find(p.Spread)
		if err := ps.Set(args, other, strings.TrimSpace(spread)); err != nil {
			return err
		}
		value = strings.TrimSpace(main)
	}
	if _, taken := args[p.Name]; taken {
		return fmt.Errorf("%s is set twice", p.Name)
	}
	canon, err := p.Canon(value)
	if err != nil {
		return err
	}
	args[p.Name] = canon
	return nil
}

// Position is the first parameter that has no value yet and that a value without
// a name fits.
func (ps Params) Position(args Args, value string) (Param, bool) {
	for _, p := range ps {
		if _, taken := args[p.Name]; !taken && p.fits(value) {
			return p, true
		}
	}
	return Param{}, false
}

// fits reports whether a value is of the parameter's kind, whatever its bounds.
func (p Param) fits(value string) bool {
	switch p.Kind {
	case Word:
		return slices.Contains(p.Words, value)
	case Text:
		return true
	case Bool:
		return value == "true" || value == "false"
	}
	main, _, _ := strings.Cut(value, "±")
	_, err := p.values(main)
	return err == nil
}

// Declaration is something that is called by name, with parameters.
type Declaration struct {
	Name   string
	Doc    string
	Params Params
	// Check refuses parameters that are each in order but make no sense together;
	// its error may be an *Error with the parameter's name. It may be nil.
	Check func(Args) error
}

// Choose reads a call of one of some declarations, such as workloads. The
// arguments are those that were given; an error that has a place is an *Error.
func Choose(all []Declaration, text string) (Declaration, Args, error) {
	call, err := Scan(text)
	i := slices.IndexFunc(all, func(d Declaration) bool { return d.Name == call.Name })
	if i < 0 {
		names := declarationNames(all)
		return Declaration{}, nil, &Error{Column: call.Column, Err: fmt.Errorf("expected one of %s, found %q%s",
			strings.Join(names, ", "), call.Name, suggest.Hint(call.Name, names))}
	}
	if err != nil {
		return Declaration{}, nil, err
	}
	args, err := all[i].Take(call.Args)
	return all[i], args, err
}

func declarationNames(all []Declaration) []string {
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	return names
}

// Take reads what stands in the parentheses.
func (d Declaration) Take(list []Arg) (Args, error) {
	args := Args{}
	columns := map[string]int{}
	for _, arg := range list {
		p, err := d.take(args, arg)
		if err != nil {
			return nil, err
		}
		columns[p.Name] = arg.ValueColumn
	}
	err := d.check(args)
	if misfit := new(Error); errors.As(err, &misfit) && misfit.Column == 0 {
		return nil, &Error{Column: columns[misfit.Param], Param: misfit.Param, Err: err}
	}
	return args, err
}

// take gives one parameter its value.
func (d Declaration) take(args Args, arg Arg) (Param, error) {
	p, ok := d.Params.Position(args, arg.Value)
	if arg.Named {
		p, ok = d.Params.Find(arg.Name)
	}
	switch {
	case !ok && len(d.Params) == 0:
		return p, &Error{Column: arg.Column, Err: fmt.Errorf("%s takes no parameters: leave out (%s)", d.Name, arg.Text)}
	case !ok && arg.Named:
		return p, &Error{Column: arg.Column, Err: fmt.Errorf("%s has no parameter %q (its parameters: %s)%s",
			d.Name, arg.Name, d.Params.Usage(), suggest.Hint(arg.Name, d.Params.Names()))}
	case !ok:
		return p, &Error{Column: arg.Column, Err: fmt.Errorf("%q fits no parameter of %s that has no value yet (its parameters: %s)%s",
			arg.Value, d.Name, d.Params.Usage(), suggest.Hint(arg.Value, d.words()))}
	}
	if err := d.Params.Set(args, p, arg.Value); err != nil {
		column := arg.ValueColumn
		if args[p.Name] != "" {
			column = arg.Column
		}
		return p, &Error{Column: column, Param: p.Name, Err: hinted(p, arg.Value, err)}
	}
	return p, nil
}

// hinted adds to an error about a word which one was probably meant.
func hinted(p Param, value string, err error) error {
	if hint := suggest.Hint(value, p.Words); hint != "" && !slices.Contains(p.Words, value) {
		return fmt.Errorf("%w%s", err, hint)
	}
	return err
}

// words are what may stand in the parentheses, but for figures.
func (d Declaration) words() []string {
	words := d.Params.Names()
	for _, p := range d.Params {
		words = append(words, p.Words...)
	}
	return words
}

func (d Declaration) check(args Args) error {
	if d.Check == nil {
		return nil
	}
	return d.Check(d.Params.Fill(args, nil))
}

// Resolve checks values that come from elsewhere than a call, such as a file of
// squall's own, and completes them with the defaults.
func (d Declaration) Resolve(given Args) (Args, error) {
	args := Args{}
	for name, value := range given {
		p, ok := d.Params.Find(name)
		if !ok {
			return nil, fmt.Errorf("%s has no parameter %q; its parameters: %s", d.Name, name, d.Params.Usage())
		}
		if err := d.Params.Set(args, p, value); err != nil {
			return nil, err
		}
	}
	if err := d.check(args); err != nil {
		return nil, err
	}
	return d.Params.Fill(args, nil), nil
}

// Write writes a call with the values that differ from the defaults: Choose reads
// it back.
func (d Declaration) Write(args Args) string {
	changed := d.Params.String(d.Params.Changed(args))
	if changed == "" {
		return d.Name
	}
	return d.Name + "(" + changed + ")"
}

// Validate finds the mistakes in a declaration itself.
func (d Declaration) Validate() error {
	var errs []error
	if d.Name == "" || d.Doc == "" {
		errs = append(errs, errors.New("Name and Doc are wanted"))
	}
	errs = append(errs, d.Params.Validate()...)
	if err := d.check(nil); err != nil {
		errs = append(errs, fmt.Errorf("the defaults: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	return nil
}
