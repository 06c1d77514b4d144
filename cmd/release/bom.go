package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// bom collects what programs are made of, each module once.
type bom struct {
	programs []cdx.Component
	modules  map[string]cdx.Component // by package URL, which is their reference
	needs    map[string][]string      // what depends on what, by reference
}

// writeBOM writes the software bill of materials. It holds no serial number and
// no time of day: it is as reproducible as what it describes.
func (r *release) writeBOM(squalls, nodes []program) error {
	b := bom{modules: make(map[string]cdx.Component), needs: make(map[string][]string)}
	var carried []string
	for _, n := range nodes {
		if err := b.add(n, r.version); err != nil {
			return err
		}
		carried = append(carried, ref(n))
	}
	for _, s := range squalls {
		if err := b.add(s, r.version); err != nil {
			return err
		}
		b.needs[ref(s)] = append(b.needs[ref(s)], carried...)
		b.needs["squall"] = append(b.needs["squall"], ref(s))
	}
	file, err := os.Create(filepath.Join(r.out, bomFile))
	if err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	defer file.Close()
	if err := cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true).Encode(b.document(r.version)); err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	return file.Close()
}

// ref is how the bill calls a program.
func ref(p program) string { return p.name + "-" + p.target.dashed() }

// add reads from a program what it was built of.
func (b *bom) add(p program, version string) error {
	info, err := buildinfo.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("reading what %s for %s is made of: %w", p.name, p.target, err)
	}
	sum, err := sha256Of(p.path)
	if err != nil {
		return fmt.Errorf("summing up %s for %s: %w", p.name, p.target, err)
	}
	b.programs = append(b.programs, cdx.Component{
		BOMRef: ref(p), Type: cdx.ComponentTypeApplication, Name: p.name, Version: version,
		Description: p.name + " for " + p.target.String(),
		Hashes:      &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}},
		Properties:  settings(info),
	})
	b.need(p, standardLibrary(info))
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		b.need(p, module(dep))
	}
	return nil
}

func (b *bom) need(p program, c cdx.Component) {
	b.modules[c.BOMRef] = c
	b.needs[ref(p)] = append(b.needs[ref(p)], c.BOMRef)
}

func module(m *debug.Module) cdx.Component {
	// In a package URL a plus must be written thus.
	url := "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")
	c := cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url}
	if m.Sum != "" {
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.Sum}}
	}
	return c
}

func standardLibrary(info *debug.BuildInfo) cdx.Component {
	version, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	url := "pkg:golang/stdlib@" + version
	return cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: "stdlib", Version: version, PackageURL: url}
}

// settings are those of the compiler.
func settings(info *debug.BuildInfo) *[]cdx.Property {
	properties := []cdx.Property{{Name: "go:version", Value: info.GoVersion}}
	for _, s := range info.Settings {
		properties = append(properties, cdx.Property{Name: "go:setting:" + s.Key, Value: s.Value})
	}
	return &properties
}

// document is the bill, in an order of its own.
func (b *bom) document(version string) *cdx.BOM {
	components := b.programs
	for _, m := range b.modules {
		components = append(components, m)
	}
	byRef := func(x, y cdx.Component) int { return strings.Compare(x.BOMRef, y.BOMRef) }
	slices.SortFunc(components, byRef)
	var dependencies []cdx.Dependency
	for from, to := range b.needs {
		slices.Sort(to)
		dependencies = append(dependencies, cdx.Dependency{Ref: from, Dependencies: &to})
	}
	slices.SortFunc(dependencies, func(x, y cdx.Dependency) int { return strings.Compare(x.Ref, y.Ref) })
	document := cdx.NewBOM()
	document.Metadata = &cdx.Metadata{Component: &cdx.Component{
		BOMRef: "squall", Type: cdx.ComponentTypeApplication, Name: "squall", Version: version,
	}}
	document.Components, document.Dependencies = &components, &dependencies
	return document
}
