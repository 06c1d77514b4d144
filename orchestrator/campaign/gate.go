package campaign

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"squall/history/check"
	"squall/history/gate"
	"squall/history/ledger"
	"squall/orchestrator/testplan"
)

// thresholdOption is the setting of a test that a campaign's `thresholds:` are
// added to.
const thresholdOption = "threshold"

// readThresholds takes the thresholds of every cell.
func (f *File) readThresholds(value *yaml.Node) {
	f.cellThresholds = f.thresholdList("thresholds", value)
}

// readCampaignThresholds takes those of all cells together.
func (f *File) readCampaignThresholds(value *yaml.Node) {
	f.Thresholds = f.thresholdList("campaign-thresholds", value)
}

// thresholdList reads thresholds: a list, or one of them.
func (f *File) thresholdList(where string, value *yaml.Node) []string {
	items := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		items = value.Content
	}
	var all []string
	for _, item := range items {
		if item.Kind != yaml.ScalarNode || strings.TrimSpace(item.Value) == "" {
			f.mistake(item, `%s: expected a bound such as "latency p(99) < 50ms", found %s`, where, testplan.KindName(item))
			continue
		}
		if err := testplan.CheckThresholds(item.Value); err != nil {
			f.mistake(item, "%s: %s", where, err)
			continue
		}
		all = append(all, item.Value)
	}
	return all
}

// addThresholds adds those of every cell to what `test:` says.
func (f *File) addThresholds() {
	if len(f.cellThresholds) == 0 {
		return
	}
	option, ok := testplan.FindOption(thresholdOption)
	if !ok {
		f.mistake(f.node("thresholds"), "thresholds: tests have no thresholds")
		return
	}
	all := f.cellThresholds
	if before := option.Get(&f.base); before != "" {
		all = append([]string{before}, all...)
	}
	if err := option.Set(&f.base, strings.Join(all, "; ")); err != nil {
		f.mistake(f.node("thresholds"), "thresholds: %s", err)
	}
}

func (f *File) readBaseline(value *yaml.Node) {
	if value.Kind != yaml.ScalarNode || value.Value == "" {
		f.mistake(value, "baseline: expected the directory of an earlier campaign, found %s", testplan.KindName(value))
		return
	}
	f.Baseline = value.Value
	if !filepath.IsAbs(f.Baseline) { // it is the file that says so, wherever squall is called
		f.Baseline = filepath.Join(filepath.Dir(f.Path), f.Baseline)
	}
}

func (f *File) readTolerance(value *yaml.Node) {
	tolerance, err := gate.ParseTolerance(value.Value)
	if err != nil { // so it is for what is no scalar
		f.mistake(value, "tolerance: %v", err)
		return
	}
	f.Tolerance = tolerance
}

// gateSchema is the schema of the keys that bound the figures.
func gateSchema(name string) *jsonschema.Schema {
	bounds := func(description string) *jsonschema.Schema {
		one := &jsonschema.Schema{Type: "string", MinLength: jsonschema.Ptr(1), Examples: []any{"latency p(99) < 50ms", "availability > 99%"}}
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{one, {Type: "array", Items: one}}, Description: description}
	}
	switch name {
	case "thresholds":
		return bounds("bounds on the figures of every cell (docs/metrics.md)")
	case "campaign-thresholds":
		return bounds("bounds on the figures of all cells together")
	case "baseline":
		return &jsonschema.Schema{Type: "string", MinLength: jsonschema.Ptr(1),
			Description: "directory of an earlier campaign, from the folder of this file: a significant loss against it fails"}
	case "tolerance":
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "number", Minimum: jsonschema.Ptr(0.0), ExclusiveMaximum: jsonschema.Ptr(1.0)}, {Type: "string", Pattern: `^[0-9]+(\.[0-9]*)?%?$`}},
			Description: "share that may be lost against the baseline, such as 5%"}
	}
	panic("a key of campaign files without a schema: " + name)
}

// figures are the metrics of a run that the campaign's page shows.
func figures(results *check.Results) map[string]float64 {
	if results.Verdict == check.Invalid { // they mean nothing
		return nil
	}
	return gate.Figures(results)
}

// weigh judges all cells together: by the campaign's thresholds, and against
// its baseline. It reads the results of the cells that are done.
func (r *runner) weigh() error {
	f := r.plan.File
	if len(f.Thresholds) == 0 && f.Baseline == "" {
		return nil
	}
	side := gate.Campaign(r.dir, r.record) // no cell is running: nobody changes it
	var all []*check.Results
	for _, g := range side.Groups {
		all = append(all, g.Runs...)
	}
	thresholds, err := gate.ParseAll(nil, f.Thresholds...)
	if err != nil {
		return err
	}
	judged := gate.JudgeAll(thresholds, all...)
	var baseline *ledger.Baseline
	if f.Baseline != "" {
		if baseline, err = gate.AgainstBaseline(f.Baseline, side, f.Tolerance); err != nil {
			err = errors.Join(errors.New("the cells' verdicts stand, but they could not be compared"), err)
		}
	}
	r.update(func(c *ledger.Campaign) { c.Thresholds, c.Baseline = judged, baseline })
	return err
}
