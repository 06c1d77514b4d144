package selftest

import (
	"fmt"
	"maps"
	"runtime"
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
	// Rate is how many operations a second clients call in each storm; 0: as many as are
	// answered. A storm mostly waits for faults and elections: with a rate several fit on a
	// processor.
	Rate    float64
	Runtime string
	// Jobs is how many storms there are at once; 0: as many as fit, see [Options.AtOnce].
	Jobs int
}

// Default is what a self-test does when nothing else is said: each bug is put to the
// profile that finds most.
func Default() Options {
	return Options{Seeds: 3, Profile: "guided", Time: time.Minute, Rate: 400, Runtime: "local"}
}

// AtOnce is how many storms are run at once on so many cores, where nobody says: with the
// usual rate a storm takes not half a core. 0: as the campaign sees fit, which gives a
// test without a rate, or with a high one, cores of its own.
func (o *Options) AtOnce(cores int) int {
	if o.Jobs > 0 || o.Rate == 0 || o.Rate > Default().Rate {
		return o.Jobs
	}
	return max(1, cores*3/2)
}

// settings are those of a cell of the campaign, by option.
type settings map[string]string

// testKeys and file are the parts of a campaign file that a self-test uses.
type testKeys struct {
	Profile string  `yaml:"profile,omitempty"`
	Runtime string  `yaml:"runtime"`
	Nemesis string  `yaml:"nemesis,omitempty"`
	Time    string  `yaml:"time,omitempty"`
	Rate    float64 `yaml:"rate,omitempty"`
	Trace   string  `yaml:"trace"`
	Keep    string  `yaml:"keep"`
	StopOn  string  `yaml:"stop-on"`
}

type file struct {
	Name    string     `yaml:"name"`
	Test    testKeys   `yaml:"test"`
	Include []settings `yaml:"include"`
	Seeds   int        `yaml:"seeds"`
	Jobs    int        `yaml:"jobs,omitempty"`
}

// File is the campaign file of a self-test. No storm is stopped at the first violation, for
// every check is to have its chance. The correct node comes first: if
// something is found in it, the rest means nothing.
func (o *Options) File() ([]byte, error) {
	f := file{Name: Name, Seeds: o.Seeds, Jobs: o.AtOnce(runtime.NumCPU()),
		Test: testKeys{Profile: o.Profile, Runtime: o.Runtime, Nemesis: o.Nemesis, Rate: o.Rate, Trace: "full", Keep: "never",
			StopOn: "never"}}
	if o.Time > 0 {
		f.Test.Time = o.Time.String()
	}
	f.Include = append(f.Include, o.correct()...)
	for _, m := range o.Mutants {
		f.Include = append(f.Include, with(m.Settings, "mutant", m.Name))
	}
	text, err := yaml.Marshal(&f)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("# The storms of squall selftest: the correct node, and %d with a known bug each.\n", len(o.Mutants))
	return append([]byte(head), text...), nil
}

// correct are the cells of the correct node: each kind of test that a mutant is put to.
func (o *Options) correct() []settings {
	var cells []settings
	for _, m := range o.Mutants {
		cell := with(m.Settings, "", "")
		if !slices.ContainsFunc(cells, func(c settings) bool { return maps.Equal(c, cell) }) {
			cells = append(cells, cell)
		}
	}
	return cells
}

// with is a copy of some settings, with the workload register where they name none,
// and one more if it has a name.
func with(some settings, name, value string) settings {
	all := settings{"workload": "register"}
	maps.Copy(all, some)
	if name != "" {
		all[name] = value
	}
	return all
}
