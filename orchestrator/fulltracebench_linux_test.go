package orchestrator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"squall/history/check"
	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/orchestrator/testplan"
)

// BenchmarkFullTrace runs one load with the basic trace and with the full one, in turn,
// and compares what was answered and the processor time that the processes took for it,
// while the load lasted. -benchtime 5x makes five pairs of ten seconds; every other pair
// begins with the full trace.
//
//	SQUALL_TEST=whole go test ./orchestrator -run '^$' -bench FullTrace -benchtime 5x
func BenchmarkFullTrace(b *testing.B) {
	if !machinetest.Whole() {
		b.Skip("only with SQUALL_TEST=whole: it takes minutes")
	}
	h := opened(b, hosts()["local"])
	for _, clients := range []int{10, 100} {
		b.Run(fmt.Sprint(clients, "-clients"), func(b *testing.B) {
			costs := map[string][]traceCost{}
			var ratios []float64
			for pair := 0; b.Loop(); pair++ {
				order := []string{testplan.TraceBasic, testplan.TraceFull}
				if pair%2 == 1 {
					slices.Reverse(order)
				}
				for _, level := range order {
					c := costOfTrace(b, h, level, clients)
					b.Logf("%s: %.0f/s; ms of processor time for 1000 operations: %s", level, c.rate, c)
					costs[level] = append(costs[level], c)
				}
				ratios = append(ratios, costs[testplan.TraceFull][pair].rate/costs[testplan.TraceBasic][pair].rate)
			}
			b.ReportMetric(middle(ratios), "full/basic")
			for level, all := range costs {
				b.ReportMetric(middleOf(all, func(c traceCost) float64 { return c.rate }), level+"/s")
				for i, who := range traceRoles {
					b.ReportMetric(middleOf(all, func(c traceCost) float64 { return c.cpu[i] }), level+"-"+who+"-ms/1000")
				}
				b.ReportMetric(middleOf(all, traceCost.total), level+"-all-ms/1000")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// traceRoles are whose processor time is told apart: the servers, the agents, the driver
// with its clients, and squall itself with all that it started beside them.
var traceRoles = []string{"server", "agent", "driver", "squall"}

// traceCost is what one run answered a second, and took of the processors.
type traceCost struct {
	rate float64
	cpu  [4]float64 // ms for 1000 operations, in the order of traceRoles
}

func (c traceCost) total() float64 { return c.cpu[0] + c.cpu[1] + c.cpu[2] + c.cpu[3] }

func (c traceCost) String() string {
	var parts []string
	for i, who := range traceRoles {
		parts = append(parts, fmt.Sprintf("%s %.0f", who, c.cpu[i]))
	}
	return strings.Join(parts, ", ") + fmt.Sprintf(", all %.0f", c.total())
}

func middle(all []float64) float64 {
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

func middleOf(all []traceCost, of func(traceCost) float64) float64 {
	var values []float64
	for _, c := range all {
		values = append(values, of(c))
	}
	return middle(values)
}

func costOfTrace(b *testing.B, h testHost, level string, clients int) traceCost {
	b.Helper()
	test := testplan.DefaultTest()
	test.Out, test.Seed, test.Nodes, test.Clients, test.Time, test.Nemesis = b.TempDir(), 1, 3, clients, testplan.Duration(besideFor), "none"
	test.Trace = level
	plan, err := testplan.NewPlan(test, "bench", "squall")
	if err != nil {
		b.Fatal(err)
	}
	meter := &loadMeter{}
	outcome, err := Run(b.Context(), plan, Config{Version: "bench", Runtime: h, Progress: meter,
		Build: func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error) {
			return nodeimage.Build(ctx, nodeimage.BuildOptions{Arch: arch})
		}})
	if err != nil {
		b.Fatal(err)
	}
	ops := outcome.Results.Ops
	// A trace that fell silent costs nothing; then the conformance is unknown.
	if meter.before == nil || meter.after == nil || outcome.Results.Verdict != check.Pass || ops.Fail+ops.Info > 0 {
		b.Fatalf("the run with the %s trace is no measure: %v %q, %d operations not answered", level, outcome.Results.Verdict, outcome.Results.Reasons, ops.Fail+ops.Info)
	}
	c := traceCost{rate: ops.Throughput}
	for i, who := range traceRoles {
		c.cpu[i] = (meter.after[who] - meter.before[who]).Seconds() * 1e6 / float64(ops.OK)
	}
	return c
}

// loadMeter reads the processor times when the load begins and when it has ended.
type loadMeter struct {
	quiet
	before, after map[string]time.Duration
}

func (m *loadMeter) Phase(text string) {
	switch {
	case text == "storm":
		m.before = processorTimes()
	case m.before != nil && m.after == nil:
		m.after = processorTimes()
	}
}

// clockTick is the unit of the times in /proc, which Linux has fixed for programs.
const clockTick = 10 * time.Millisecond

// processorTimes are those of this process and all below it, by the role of each.
func processorTimes() map[string]time.Duration {
	type process struct {
		parent int
		role   string
		time   time.Duration
	}
	all := map[int]process{}
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range paths {
		stat, err := os.ReadFile(path + "/stat")
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		pid, _ := strconv.Atoi(filepath.Base(path))
		all[pid] = process{parent, traceRole(path), time.Duration(user+system) * clockTick}
	}
	times := map[string]time.Duration{}
	for pid, p := range all {
		for above := pid; above > 1; above = all[above].parent {
			if above == os.Getpid() {
				times[p.role] += p.time
				break
			}
		}
	}
	return times
}

// traceRole is which of traceRoles a process below this one has.
func traceRole(path string) string {
	line, _ := os.ReadFile(path + "/cmdline")
	args := strings.Split(string(line), "\x00")
	if len(args) > 1 {
		switch args[1] {
		case "kv":
			return "server"
		case "agent", "driver":
			return args[1]
		}
	}
	return "squall"
}
