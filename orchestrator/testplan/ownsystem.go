package testplan

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"squall/history"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
	"squall/workloads/systems/custom"
	"squall/workloads/systems/systemfile"
)

// IsSystemFile reports whether what is named in place of a system is a file that
// describes one.
func IsSystemFile(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return strings.ContainsAny(name, `/\`) || ext == ".yaml" || ext == ".yml"
}

// ownSystem is a system that a file describes.
type ownSystem struct {
	def    *custom.Definition
	system custom.System
}

// readOwnSystem reads the file.
func readOwnSystem(path string) (ownSystem, error) {
	def, err := systemfile.Read(path)
	if err != nil {
		return ownSystem{}, err
	}
	if _, err := catalogue.FindSystem(def.Name); err == nil {
		return ownSystem{}, fmt.Errorf("%s: a system of squall's own is called %s: give yours another name", path, def.Name)
	}
	system, err := custom.New(def, custom.Run{})
	return ownSystem{def, system}, err
}

// systemOption is the setting that names a system, or a file that describes one. A file
// is read once for each value that this returns.
func systemOption() Option {
	o := Option{Name: "system", Type: "system", Files: true, Declared: catalogue.SystemDeclarations(),
		Usage: `system under test, with its parameters: "raftkv(election=150ms-300ms)" (see: squall list systems), or the file that describes yours: "path/system.yaml"`}
	for _, d := range o.Declared {
		o.Choices = append(o.Choices, d.Name)
	}
	read := map[string]ownSystem{}
	o.Set = func(t *Test, text string) error {
		unchecked := len(t.olds("system")) > 0
		call, err := declare.Scan(text)
		if !IsSystemFile(call.Name) {
			d, given, err := choose(o, text, unchecked)
			if err != nil {
				return err
			}
			t.takeSystem(d, given)
			t.SystemFile, t.Definition = "", nil
			return nil
		}
		if err != nil {
			return err
		}
		own, known := read[call.Name]
		if !known {
			if own, err = readOwnSystem(call.Name); err != nil {
				return &declare.Error{Column: call.Column, Err: err}
			}
			read[call.Name] = own
		}
		d := systems.Declaration(own.system)
		given, err := d.Take(call.Args)
		if err != nil {
			return err
		}
		t.takeSystem(d, given)
		t.SystemFile, t.Definition = call.Name, own.def
		return nil
	}
	o.Get = func(t *Test) string {
		d, err := t.systemDeclaration()
		if err != nil {
			return t.System
		}
		if t.SystemFile != "" {
			d.Name = t.SystemFile
		}
		return d.Write(t.SystemParams)
	}
	return o
}

func (t *Test) takeSystem(d declare.Declaration, given declare.Args) {
	t.forget("system", given)
	t.System, t.SystemParams = d.Name, d.Params.Fill(given, nil)
	t.renew("system")
}

// FindSystem is the system under test.
func (t *Test) FindSystem() (systems.System, error) {
	if t.Definition == nil {
		return catalogue.FindSystem(t.System)
	}
	s, err := custom.New(t.Definition, custom.Run{})
	if err != nil {
		return nil, fmt.Errorf("the description of the system %s: %w", t.System, err)
	}
	return s, nil
}

func (t *Test) systemDeclaration() (declare.Declaration, error) {
	s, err := t.FindSystem()
	if err != nil {
		return declare.Declaration{}, err
	}
	return systems.Declaration(s), nil
}

// checkServed refuses a workload whose operations the system's clients cannot carry
// out. What they can do without is left out, where it is the workload's default and
// nobody asked for it. The error is a *FieldError.
func (t *Test) checkServed() error {
	system, err := t.FindSystem()
	if err != nil {
		return err
	}
	client := systems.Prototype(system)
	var served []string
	for _, w := range catalogue.Workloads() {
		if w.Fits(client) {
			served = append(served, w.Name)
		}
	}
	if !slices.Contains(served, t.Workload) {
		if len(served) == 0 {
			served = []string{"none"}
		}
		return &FieldError{"workload", fmt.Errorf("the system %s cannot serve the workload %s; it serves: %s", t.System, t.Workload, strings.Join(served, ", "))}
	}
	lacking, ok := client.(systems.Lacking)
	if !ok {
		return nil
	}
	w, err := catalogue.FindWorkload(t.Workload)
	if err != nil {
		return err
	}
	return t.doWithout(w, lacking.Lacks(w.Name))
}

// doWithout leaves functions out of the load that the system does not have.
func (t *Test) doWithout(w workloads.Workload, lacks []history.Func) error {
	if len(lacks) == 0 {
		return nil
	}
	if w.Without == nil {
		return &FieldError{"workload", fmt.Errorf("the system %s has no %s, and the workload %s needs it", t.System, lacks[0], w.Name)}
	}
	args := maps.Clone(t.WorkloadParams)
	for name, value := range w.Without(t.WorkloadParams, lacks) {
		p, _ := w.Params.Find(name)
		if args[name] != p.Default {
			return &FieldError{"workload", &declare.Error{Param: name, Err: fmt.Errorf("the system %s has no %s: write %s=%s", t.System, lacks[0], name, value)}}
		}
		args[name] = value
	}
	full, err := w.Declaration().Resolve(args)
	if err != nil {
		return &FieldError{"workload", errors.Join(fmt.Errorf("the system %s has no %s", t.System, lacks[0]), err)}
	}
	t.WorkloadParams = full
	return nil
}
