package selftest

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"squall/nodeimage/mutants"
)

// Name is that of the campaign, and of its folder.
const Name = "selftest"

// Options say what is stormed, and how.
type Options struct {
	Mutants []mutants.Mutant
	Seeds   int    // storms of each, with the seeds from 1 on
	Profile string // a profile of tests; "": none, and Nemesis and Time say it all
	Nemesis string // "": the profile's
	Time    time.Duration
	Runtime string
	Jobs    int // 0: from cores and memory
}

// Default is what a self-test does when nothing else is said.
func Default() Options {
	return Options{Seeds: 3, Nemesis: "storm", Time: 30 * time.Second, Runtime: "local"}
}

// testKeys and entry are the parts of a campaign file that a self-test uses.
type testKeys struct {
	Profile string `yaml:"profile,omitempty"`
	Runtime string `yaml:"runtime"`
	Nemesis string `yaml:"nemesis,omitempty"`
	Time    string `yaml:"time,omitempty"`
	Trace   string `yaml:"trace"`
	Keep    string `yaml:"keep"`
}

type entry struct {
	Mutant   string `yaml:"mutant,omitempty"`
	Workload string `yaml:"workload"`
}

type file struct {
	Name    string   `yaml:"name"`
	Test    testKeys `yaml:"test"`
	Include []entry  `yaml:"include"`
	Seeds   int      `yaml:"seeds"`
	Jobs    int      `yaml:"jobs,omitempty"`
}

// File is the campaign file of a self-test. The correct node comes first: if
// something is found in it, the rest means nothing.
func (o *Options) File() ([]byte, error) {
	f := file{Name: Name, Seeds: o.Seeds, Jobs: o.Jobs,
		Test: testKeys{Profile: o.Profile, Runtime: o.Runtime, Nemesis: o.Nemesis, Trace: "full", Keep: "never"}}
	if o.Time > 0 {
		f.Test.Time = o.Time.String()
	}
	for _, w := range o.workloads() {
		f.Include = append(f.Include, entry{Workload: w})
	}
	for _, m := range o.Mutants {
		f.Include = append(f.Include, entry{Mutant: m.Name, Workload: workloadFor(m)})
	}
	text, err := yaml.Marshal(&f)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("# The storms of squall selftest: the correct node, and %d with a known bug each.\n", len(o.Mutants))
	return append([]byte(head), text...), nil
}

// workloads are those that the mutants are stormed with.
func (o *Options) workloads() []string {
	var names []string
	for _, m := range o.Mutants {
		if w := workloadFor(m); !slices.Contains(names, w) {
			names = append(names, w)
		}
	}
	slices.Sort(names)
	return names
}

// workloadFor is the workload that can show a bug: the one whose check must find
// it, or else register.
func workloadFor(m mutants.Mutant) string {
	if slices.Contains([]string{"append", "set", "lock", "watch"}, m.CaughtBy) {
		return m.CaughtBy
	}
	return "register"
}
