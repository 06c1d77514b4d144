package campaign

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"squall/history/ledger"
	"squall/orchestrator/testplan"
)

// planOf plans a campaign file that stands in the test.
func planOf(text string, over Overrides) (*Plan, error) {
	f, err := parse("c.yaml", []byte(text), over)
	if err != nil {
		return nil, err
	}
	return NewPlan(f, "v", "squall", "squall campaign c.yaml")
}

func mustPlan(t *testing.T, text string) *Plan {
	t.Helper()
	p, err := planOf(text, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ids(p *Plan) []string {
	var all []string
	for _, c := range p.Cells {
		all = append(all, c.ID)
	}
	return all
}

func TestExpand(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"one cell", "test: {nodes: 3}\n", "s1"},
		{"a matrix, the last setting fastest", "matrix: {nodes: [3, 5], nemesis: [none, kill]}\n",
			"nodes-3_nemesis-none_s1 nodes-3_nemesis-kill_s1 nodes-5_nemesis-none_s1 nodes-5_nemesis-kill_s1"},
		{"seeds before settings", "matrix: {nodes: [3, 5]}\nseeds: [7, 4]\n", "nodes-3_s7 nodes-5_s7 nodes-3_s4 nodes-5_s4"},
		{"seeds counted", "seed: 40\nseeds: 3\n", "s40 s41 s42"},
		{"repeats", "seeds: 2\nrepeats: 2\n", "s1_r1 s2_r1 s1_r2 s2_r2"},
		{"exclude", "matrix: {nodes: [3, 5], nemesis: [none, kill]}\nexclude:\n- {nodes: 5, nemesis: kill}\n- nemesis: [none]\n",
			"s1"},
		{"exclude in other words", "matrix: {time: [60s, 90s]}\nexclude: [{time: 1m}]\n", "s1"},
		{"parameters", "matrix: {workload: [register, 'register(keys=2)'], system: ['raftkv(heartbeat=20ms)', {raftkv: {heartbeat: 30ms}}]}\n",
			"workload-register_system-raftkv-heartbeat-20ms_s1 workload-register_system-raftkv-heartbeat-30ms_s1 " +
				"workload-register-keys-2_system-raftkv-heartbeat-20ms_s1 workload-register-keys-2_system-raftkv-heartbeat-30ms_s1"},
		{"exclude by a parameter", "matrix: {workload: ['register(keys=2, mix=1/1/0)', 'register(keys=2)', 'register(keys=3)']}\nexclude: [{workload: register(keys=2)}]\n", "s1"},
		{"exclude a default", "matrix: {workload: ['register', 'register(keys=2)']}\nexclude: [{workload: register(keys=5)}]\n", "s1"},
		{"an old setting as an axis", "test: {workload: register(mix=1/1/0)}\nmatrix: {keys: [2, 3]}\nexclude: [{keys: 3}]\n", "s1"},
		{"the matrix over an old setting", "test: {keys: 3}\nmatrix: {workload: [register, register(keys=7)]}\n", "workload-register-keys-3_s1 workload-register-keys-7_s1"},
		{"include", "matrix: {nodes: [3]}\ninclude:\n- {nodes: 5, mutant: local-reads}\n", "nodes-3_mutant-none_s1 nodes-5_mutant-local-reads_s1"},
		{"include alone", "include: [{nodes: 1, nemesis: none}]\n", "s1"},
		{"one value is no difference", "matrix: {nodes: [3], clients: [5, 6]}\n", "clients-5_s1 clients-6_s1"},
		{"values that would be one word", "matrix: {nemesis: ['delay(10ms)', 'delay 10ms']}\n", ""},
		{"words that differ in marks alone", "matrix: {nemesis: ['partition,kill', 'partition, kill', 'kill*2']}\n",
			"nemesis-partition-kill-81e906c5_s1 nemesis-partition-kill-58adcf9c_s1 nemesis-kill-2_s1"},
		{"a long list", "matrix: {nemesis: [none, 'partition,kill(leader),pause(follower),delay(50ms±10ms),loss(30%)']}\n",
			"nemesis-none_s1 nemesis-partition-kill-leader-p-6d63cec8_s1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := planOf(tc.text, Overrides{})
			if tc.want == "" {
				if err == nil {
					t.Fatalf("expanded to %v", ids(p))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(ids(p), " "); got != tc.want {
				t.Errorf("cells %s\nwant  %s", got, tc.want)
			}
		})
	}
}

func TestACellIsWhatItsFileSays(t *testing.T) {
	p := mustPlan(t, "test: {time: 8s, clients: 3, runtime: local}\nmatrix: {nodes: [3, 5], mutant: ['', local-reads]}\nseed: 9\n")
	c := p.Cells[3]
	if c.Nodes != 5 || c.Mutant != "local-reads" || c.Seed != 9 || c.Repeat != 1 || c.State != ledger.Waiting {
		t.Errorf("cell %+v", c)
	}
	if want := "map[clients:3 mutant:local-reads runtime:local time:8s]"; fmt.Sprint(c.Settings) != want {
		t.Errorf("settings %v, want %s", c.Settings, want)
	}
	if want := "squall run --time 8s --clients 3 --seed 9 --runtime local --mutant local-reads --stop-on violation"; c.Command != want {
		t.Errorf("command %s, want %s", c.Command, want)
	}
	if c.Group() != "nodes-5_mutant-local-reads" || (&ledger.Cell{ID: "s1_r2", Seed: 1, Repeat: 2}).Group() != "" {
		t.Errorf("group %q", c.Group())
	}
}

func TestMistakesHaveAPlaceAndAMend(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "c.yaml:1:1: the file is empty; `squall init` writes an example"},
		{"not a mapping", "- 1\n", "c.yaml:1:1: expected `name: value`, found a list"},
		{"not YAML", "matrix: [\n", "not YAML"},
		{"unknown key", "matirx: {}\n", `c.yaml:1:1: unknown key "matirx"; did you mean "matrix"?`},
		{"a setting beside test", "test: {time: 9s}\nnodes: 3\n", "c.yaml:2:1: unknown key \"nodes\"; settings of the tests go below `test:`"},
		{"a test file", "seed: 4\nnodes: 3\n", "c.yaml:2:1: this is a test file, since it has the setting \"nodes\": `squall run c.yaml` runs it"},
		{"twice", "seeds: 2\nseeds: 3\n", "seeds"},
		{"unknown setting in test", "test:\n  nodse: 3\n", `c.yaml:2:3: unknown setting "nodse"; did you mean "nodes"?`},
		{"wrong value in test", "test:\n  nodes: 12\n", "c.yaml:2:10: nodes: expected a whole number from 1 to 9"},
		{"seed in test", "test: {seed: 4}\n", "c.yaml:1:8: seed is not for a campaign's tests: set `seed:`"},
		{"out in the matrix", "matrix: {out: [a, b]}\n", "c.yaml:1:10: out is not for a campaign's tests"},
		{"no values", "matrix:\n  nodes: []\n", "c.yaml:2:10: matrix: nodes has no values, so the matrix expands to no cell"},
		{"no settings", "matrix: {}\n", "c.yaml:1:9: matrix: it expands to no cell"},
		{"no list", "matrix: {nodes: 3}\n", "c.yaml:1:17: matrix: nodes: expected a list of values"},
		{"a value that cannot be", "matrix:\n  nodes: [3, 11]\n", "c.yaml:2:14: nodes: expected a whole number from 1 to 9"},
		{"a fault that there is not", "matrix:\n  nemesis:\n  - none\n  - [kill, quake]\n", `c.yaml:4:12: nemesis: unknown fault "quake"`},
		{"duplicate values", "matrix: {time: [60s, 1m]}\n", `c.yaml:1:22: matrix: time: "1m" occurs twice`},
		{"duplicate seeds", "seeds: [3, 3]\n", "c.yaml:1:12: seeds: 3 occurs twice"},
		{"seed and seeds", "seed: 3\nseeds: [4]\n", "c.yaml:2:8: seeds: `seed:` is already set"},
		{"seed 0", "seed: 0\n", "c.yaml:1:7: seed: expected a whole number from 1"},
		{"no seeds", "seeds: []\n", "c.yaml:1:8: seeds: the list is empty, so there is no cell"},
		{"everything excluded", "matrix: {nodes: [3, 5]}\nexclude:\n- nodes: 3\n- nodes: 5\n", "c.yaml:3:1: exclude: it leaves none of the 2 cells"},
		{"exclude of nothing", "matrix: {nodes: [3, 5]}\nexclude:\n- nodes: 7\n", "c.yaml:3:3: exclude: no cell of the matrix matches this"},
		{"include of what is there", "matrix: {nodes: [3, 5]}\ninclude:\n- nodes: 5\n", "c.yaml:3:3: include: line 1 already gives this cell"},
		{"a parameter that there is not", "matrix:\n  workload: [register, register(kyes=3)]\n", `c.yaml:2:33: workload: register has no parameter "kyes"`},
		{"one workload twice", "matrix: {workload: [register, register(keys=5)]}\n", "c.yaml:1:31: matrix: workload: \"register(keys=5)\" occurs twice"},
		{"an old setting and its parameter", "test: {keys: 3, workload: register(keys=3)}\n", "c.yaml:1:14: keys: workload already says keys=3; leave out keys"},
		{"parameters that do not go together", "test: {heartbeat: 100ms}\nmatrix:\n  system: [raftkv, 'raftkv(election=150ms-300ms)']\n",
			"c.yaml:1:19: system: heartbeat must be at most half of the shortest election timeout, which is 150ms"},
		{"settings that do not go together", "matrix:\n  nodes: [2, 3]\n  nemesis: [partition]\n",
			"c.yaml:3:13: nemesis: fault partition needs at least 3 nodes, and the test has 2: set nodes to 3 or more, or choose faults that fewer nodes can have, such as kill,pause (in the cell nodes-2; exclude can leave it out)"},
		{"ten thousand cells", "matrix: {nodes: [1, 2, 3, 4, 5]}\ntest: {nemesis: none}\nseeds: 1000\nrepeats: 2\n",
			"c.yaml:1:9: the campaign has 10000 cells, and at most 1000 are allowed: if this is intended, set `max-cells: N` or --max-cells N"},
		{"more than can be counted", "seeds: 100000\nrepeats: 1000\n", "the campaign has 100000000 cells"},
		{"budget", "budget: soon\n", "c.yaml:1:9: budget: expected a duration"},
		{"name with a slash", "name: ../x\n", "c.yaml:1:7: name: expected a name"},
		{"name of the link", "name: latest\n", "c.yaml:1:7: name: expected a name"},
		{"an alias", "test: {nodes: &n 3}\nseeds: *n\n", "an alias, which must be written out"},
		{"two mistakes in order", "jobs: 0\nmatrix: {nodes: [0]}\nrepeats: none\n", "c.yaml:1:7: jobs: expected a whole number from 1 to 256, found \"0\"\nc.yaml:2:18"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := planOf(tc.text, Overrides{})
			if err == nil {
				t.Fatalf("it is a plan: %v", ids(p))
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v\nwant one with %s", err, tc.want)
			}
		})
	}
}

func TestMostCellsCanBeRaised(t *testing.T) {
	if _, err := planOf("seeds: 2000\nmax-cells: 2000\n", Overrides{}); err != nil {
		t.Error(err)
	}
	if _, err := planOf("seeds: 2000\n", Overrides{MaxCells: 2000}); err != nil {
		t.Error(err)
	}
	if _, err := planOf("seeds: 20\n", Overrides{MaxCells: 19}); err == nil {
		t.Error("20 cells where 19 are the most")
	}
}

func TestFlagsGoOverTheFile(t *testing.T) {
	p, err := planOf("test: {runtime: docker}\nseeds: 2\njobs: 1\nbudget: 1h\n", Overrides{Jobs: 2, Seed: 5, Runtime: "local", Budget: 60e9})
	if err != nil {
		t.Fatal(err)
	}
	if p.Jobs != 2 || strings.Join(ids(p), " ") != "s5 s6" || p.Cells[0].Settings["runtime"] != "local" || p.File.Budget != 60e9 {
		t.Errorf("jobs %d, cells %+v, budget %v", p.Jobs, p.Cells, p.File.Budget)
	}
}

func TestDefaultJobs(t *testing.T) {
	p := mustPlan(t, "test: {nodes: 5}\nseeds: 100\n")
	for _, tc := range []struct {
		cores int
		free  uint64
		want  int
		why   string
	}{
		{2, 16 << 30, 1, "2 cores"}, {1, 16 << 30, 1, "1 cores"}, {16, 64 << 30, 8, "16 cores"}, {16, 0, 8, "16 cores"},
		{16, 4 << 30, 2, "4096 MiB of memory are free, and a cell may need 1664"}, {16, 1 << 30, 1, "1024 MiB"},
	} {
		if got, why := DefaultJobs(p.tests, tc.cores, tc.free); got != tc.want || !strings.Contains(why, tc.why) {
			t.Errorf("%d cores, %d MiB free: %d because %s; want %d because %s", tc.cores, tc.free>>20, got, why, tc.want, tc.why)
		}
	}
}

func TestTotalKnowsOfCellsAtOnce(t *testing.T) {
	p := mustPlan(t, "test: {nemesis: none}\nmatrix: {time: [10s, 20s, 30s]}\njobs: 2\n")
	if got, want := p.Total().Seconds(), 50.0; got != want { // 15 and then 35, beside 25
		t.Errorf("%v s, want %v", got, want)
	}
}

// Whatever the matrix is, every cell has a name of its own that can be a folder,
// what is excluded is not there, and the same file is the same campaign.
func TestExpansionHolds(t *testing.T) {
	nemeses := []string{"none", "kill", "'kill(leader)'", "'kill(leader)*2'", "[kill, pause]", "'kill, pause'", "'partition,kill,pause,delay(10ms),loss(3%)'"}
	rapid.Check(t, func(t *rapid.T) {
		subset := func(label string, from []string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 4, rapid.ID).Draw(t, label)
		}
		nodes, faults := subset("nodes", []string{"3", "4", "5", "7"}), subset("nemesis", nemeses)
		text := fmt.Sprintf("matrix:\n  nodes: [%s]\n  nemesis: [%s]\nseeds: %d\nrepeats: %d\n", strings.Join(nodes, ", "), strings.Join(faults, ", "),
			rapid.IntRange(1, 4).Draw(t, "seeds"), rapid.IntRange(1, 3).Draw(t, "repeats"))
		without := rapid.SampledFrom(nodes).Draw(t, "excluded")
		if len(nodes) > 1 {
			text += "exclude: [{nodes: " + without + "}]\n"
		}
		p, err := planOf(text, Overrides{})
		if err != nil {
			t.Fatal(err)
		}
		again, _ := planOf(text, Overrides{})
		if again.Digest != p.Digest || !slices.Equal(ids(again), ids(p)) {
			t.Fatal("the same file is another campaign")
		}
		other, _ := planOf(text, Overrides{Seed: 99})
		if other.Digest == p.Digest {
			t.Fatal("other seeds are the same campaign")
		}
		seen := map[string]bool{}
		for _, c := range p.Cells {
			if low := strings.ToLower(c.ID); seen[low] || !ledger.IsID(c.ID) {
				t.Fatalf("the name %s is taken or is none", c.ID)
			}
			seen[strings.ToLower(c.ID)] = true
			if len(nodes) > 1 && fmt.Sprint(c.Nodes) == without {
				t.Fatalf("%s was excluded", c.ID)
			}
		}
	})
}

// Any text is a campaign or a mistake, and nothing else.
func FuzzFile(f *testing.F) {
	for _, text := range []string{"matrix: {nodes: [3]}\n", "test: {profile: ci}\nseeds: [1]\n", "include: [{nodes: 3}]\nexclude: [x]\n", "a: &a [*a]\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := planOf(text, Overrides{})
		if err == nil && (len(p.Cells) == 0 || len(p.Cells) > MostCells) {
			t.Errorf("%d cells", len(p.Cells))
		}
	})
}

func TestProfileIsBelowTheRest(t *testing.T) {
	p := mustPlan(t, "test: {time: 90s, profile: ci}\n")
	if s := p.Cells[0].Settings; s["nemesis"] != "ci" || s["time"] != "1m30s" {
		t.Errorf("settings %v", s)
	}
	for _, profile := range testplan.Profiles() {
		test := testplan.DefaultTest()
		if err := testplan.ApplyProfile(&test, profile.Name); err != nil {
			t.Error(err)
		} else if err := test.Validate(); err != nil {
			t.Errorf("profile %s: %v", profile.Name, err)
		}
	}
}
