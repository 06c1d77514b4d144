package testplan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"squall/internal/declare"
	"squall/workloads/catalogue"
)

// choose reads a call. Whether its parameters go together is not asked where
// settings of the old kind are still to be put among them: Validate asks.
func choose(o Option, text string, unchecked bool) (declare.Declaration, declare.Args, error) {
	declared := slices.Clone(o.Declared)
	for i := range declared {
		if unchecked {
			declared[i].Check = nil
		}
	}
	return declare.Choose(declared, text)
}

// declaration finds what a setting may name.
func (o Option) declaration(name string) (declare.Declaration, bool) {
	i := slices.IndexFunc(o.Declared, func(d declare.Declaration) bool { return d.Name == name })
	if i < 0 {
		return declare.Declaration{}, false
	}
	return o.Declared[i], true
}

// workloadOption is the setting that names a workload.
func workloadOption() Option {
	o := Option{Name: "workload", Type: "workload", Declared: catalogue.WorkloadDeclarations(),
		Usage: `what clients do and what is checked, with its parameters: "register(keys=3)" (see: squall list workloads)`}
	for _, d := range o.Declared {
		o.Choices = append(o.Choices, d.Name)
	}
	o.Set = func(t *Test, text string) error {
		d, given, err := choose(o, text, len(t.olds("workload")) > 0)
		if err != nil {
			return err
		}
		t.forget("workload", given)
		t.Workload, t.WorkloadParams = d.Name, d.Params.Fill(given, nil)
		t.renew("workload")
		return nil
	}
	o.Get = func(t *Test) string {
		if d, ok := o.declaration(t.Workload); ok {
			return d.Write(t.WorkloadParams)
		}
		return t.Workload
	}
	return o
}

// SystemCall is the system as it is written: with the parameters that are not the
// defaults.
func (t *Test) SystemCall() string { return systemOption().Get(t) }

// WorkloadCall is the workload as it is written, likewise.
func (t *Test) WorkloadCall() string { return workloadOption().Get(t) }

// resolveParams checks the parameters of system and workload, completes them, and
// writes them in the one way in which they are written. The error is a *FieldError.
func (t *Test) resolveParams() error {
	system, err := t.systemDeclaration()
	switch {
	case err != nil && t.Definition == nil:
		return &FieldError{"system", systemOption().Set(&Test{}, t.System)} // says what there is
	case err != nil:
		return &FieldError{"system", err}
	}
	if t.SystemParams, err = system.Resolve(t.SystemParams); err != nil {
		return &FieldError{"system", err}
	}
	work, ok := workloadOption().declaration(t.Workload)
	if !ok {
		return &FieldError{"workload", workloadOption().Set(&Test{}, t.Workload)} // likewise
	}
	if t.WorkloadParams, err = work.Resolve(t.WorkloadParams); err != nil {
		return &FieldError{"workload", err}
	}
	return nil
}

// old is a setting of earlier versions that has become a parameter of a system or
// a workload. It is taken for one more version.
type old struct {
	name  string // the setting's
	of    string // the setting that takes the parameter
	param string // the parameter
	end   int    // of a range: which end it is, from 1; 0: of none
	plan  string // its key in a plan.json of schema version 1 or 2
}

func olds() []old {
	return []old{
		{name: "keys", of: "workload", param: "keys", plan: "keys"},
		{name: "ops-per-key", of: "workload", param: "ops-per-key", plan: "opsPerKey"},
		{name: "heartbeat", of: "system", param: "heartbeat", plan: "heartbeat"},
		{name: "election-min", of: "system", param: "election", end: 1, plan: "electionMin"},
		{name: "election-max", of: "system", param: "election", end: 2, plan: "electionMax"},
		{name: "snapshot-every", of: "system", param: "snapshot-every", plan: "snapshotEvery"},
	}
}

// OldOptions are the settings of earlier versions that are still taken: what to
// write instead is a parameter of another setting (see Option.Instead).
func OldOptions() []Option {
	var all []Option
	for _, o := range olds() {
		all = append(all, o.option())
	}
	return all
}

// option is the old setting as one. It is taken whatever the system or workload
// is; Validate refuses it where there is no such parameter.
func (o old) option() Option {
	of := systemOption()
	if o.of == "workload" {
		of = workloadOption()
	}
	d := of.Declared[0]
	p, _ := d.Params.Find(o.param)
	p.Name = o.name
	instead := fmt.Sprintf("%s(%s=%s)", d.Name, o.param, p.Default)
	option := Option{Name: o.name, Type: string(p.Kind), Usage: fmt.Sprintf("old: write --%s '%s'", o.of, instead), Of: o.of, Instead: instead}
	option.Set = func(t *Test, text string) error {
		if o.end > 0 && strings.Contains(text, "-") {
			return fmt.Errorf(`expected one duration such as "300ms", found %q`, text)
		}
		canon, err := p.Canon(text)
		if err != nil {
			return errors.New(strings.TrimPrefix(err.Error(), p.Name+": "))
		}
		t.old = maps.Clone(t.old)
		if t.old == nil {
			t.old = map[string]string{}
		}
		t.old[o.name] = canon
		t.renew(o.of)
		return nil
	}
	option.Get = func(t *Test) string {
		value := (*t.args(o.of))[o.param]
		if o.end == 0 {
			return value
		}
		return ends(value)[o.end-1]
	}
	return option
}

// args are the parameters of a setting.
func (t *Test) args(option string) *declare.Args {
	if option == "workload" {
		return &t.WorkloadParams
	}
	return &t.SystemParams
}

// olds are the old settings in force that belong to a setting.
func (t *Test) olds(option string) []old {
	return slices.DeleteFunc(olds(), func(o old) bool {
		_, ok := t.old[o.name]
		return !ok || o.of != option
	})
}

// forget leaves out the old settings whose parameters are given.
func (t *Test) forget(option string, given declare.Args) {
	t.old = maps.Clone(t.old)
	for _, o := range t.olds(option) {
		if _, ok := given[o.param]; ok {
			delete(t.old, o.name)
		}
	}
}

// renew puts the old settings in force among the parameters of a setting. Two of
// them that do not go together are told of by Validate.
func (t *Test) renew(option string) {
	args := maps.Clone(*t.args(option))
	if args == nil {
		args = declare.Args{}
	}
	for _, o := range t.olds(option) {
		value := t.old[o.name]
		if o.end > 0 {
			both := ends(args[o.param])
			both[o.end-1] = value
			value = both[0] + "-" + both[1]
		}
		args[o.param] = value
	}
	*t.args(option) = args
}

// ends are those of a range, as they are written.
func ends(text string) [2]string {
	low, high, two := strings.Cut(text, "-")
	if !two {
		high = low
	}
	return [2]string{low, high}
}

// Conflict refuses an old setting where the same source, such as one file, gives
// its parameter too. The error is a *FieldError of the old one.
func Conflict(settings []Setting) error {
	for _, s := range settings {
		for _, o := range olds() {
			if o.name != s.Option.Name {
				continue
			}
			if value := o.givenBy(settings); value != "" {
				return &FieldError{o.name, fmt.Errorf("%s already says %s=%s; leave out %s", o.of, o.param, value, o.name)}
			}
		}
	}
	return nil
}

// givenBy is what one of some settings says of the parameter; "" is nothing.
func (o old) givenBy(settings []Setting) string {
	for _, s := range settings {
		if s.Option.Name != o.of {
			continue
		}
		if _, given, err := s.call(); err == nil && given[o.param] != "" {
			return given[o.param]
		}
	}
	return ""
}

// call is what a setting names, and the parameters that it gives.
func (s *Setting) call() (name string, given declare.Args, err error) {
	if call, _ := declare.Scan(s.asWritten()); s.Option.Files && IsSystemFile(call.Name) {
		given = declare.Args{}
		for _, arg := range call.Args {
			given[arg.Name] = arg.Value
		}
		return call.Name, given, nil
	}
	d, given, err := choose(s.Option, s.asWritten(), true)
	return d.Name, given, err
}

// Matches reports whether a test has what the setting says: of a system or
// workload, the parameters that it gives, whatever the others are.
func (s *Setting) Matches(t *Test) bool {
	if len(s.Option.Declared) > 0 {
		name, given, err := s.call()
		has := t.Workload
		if s.Option.Name == "system" {
			has = cmp.Or(t.SystemFile, t.System)
		}
		if err != nil || name != has {
			return false
		}
		for param, value := range given {
			if (*t.args(s.Option.Name))[param] != value {
				return false
			}
		}
		return true
	}
	scratch := DefaultTest()
	return s.Option.Set(&scratch, s.asWritten()) == nil && s.Option.Get(&scratch) == s.Option.Get(t)
}

// Instead says what to write in place of old settings that were used in a valid
// test: each is written with the names of settings as flags, or as in a file. It is
// "" where there are none.
func Instead(used []string, t *Test, flags bool) string {
	var names, write []string
	for _, option := range []Option{systemOption(), workloadOption()} {
		any := false
		for _, o := range olds() {
			if o.of == option.Name && slices.Contains(used, o.name) {
				names, any = append(names, o.name), true
			}
		}
		switch {
		case any && flags:
			write = append(write, "--"+option.Name+" "+Quote(option.Get(t)))
		case any:
			write = append(write, fmt.Sprintf("`%s: %s`", option.Name, option.Get(t)))
		}
	}
	return deprecated(names, write, flags)
}

// InsteadOf is Instead where there is no one test: it gives an example.
func InsteadOf(used []string) string {
	var names, write []string
	for _, o := range OldOptions() {
		if slices.Contains(used, o.Name) {
			names = append(names, o.Name)
			write = append(write, fmt.Sprintf("`%s: %s`", o.Of, o.Instead))
		}
	}
	slices.Sort(write)
	return deprecated(names, slices.Compact(write), false)
}

func deprecated(names, write []string, flags bool) string {
	if len(names) == 0 {
		return ""
	}
	verb, it, dashes, join := "is", "it", "", " and "
	if len(names) > 1 {
		verb, it = "are", "them"
	}
	if flags {
		dashes, join = "--", " "
	}
	for i := range names {
		names[i] = dashes + names[i]
	}
	last := len(names) - 1
	list := names[last]
	if last > 0 {
		list = strings.Join(names[:last], ", ") + " and " + list
	}
	return fmt.Sprintf("%s %s deprecated, and the next version refuses %s; write %s instead", list, verb, it, strings.Join(write, join))
}
