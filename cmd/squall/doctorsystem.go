package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
	"squall/workloads"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// trySystem is how long the clients of each workload speak to a system that is examined.
const trySystem = 2 * time.Second

// examineSystem starts one node of a system, waits until it serves, and has each workload
// that it takes run its operations. It returns what was found, up to the first thing
// without which there is nothing more to find.
func (a *app) examineSystem(ctx context.Context, text, runtimeName string) ([]need, error) {
	t := testplan.DefaultTest()
	for name, value := range map[string]string{"system": text, "runtime": runtimeName, "nodes": "1", "nemesis": "none", "clients": "3", "time": trySystem.String()} {
		option, _ := testplan.FindOption(name)
		if err := option.Set(&t, value); err != nil {
			return nil, usageError(fmt.Errorf("%s %q: %w", name, plain.Clip(value, 200), err))
		}
	}
	system, err := t.FindSystem()
	if err != nil {
		return nil, err
	}
	found := []need{{Name: "the system", OK: true, Found: system.Name() + ": " + system.Describe()}}
	runtime, err := a.open(ctx, t.Runtime, nil)
	if err != nil {
		return append(found, need{Name: "machines", Found: err.Error(), Fix: fmt.Sprintf("see what `%s doctor` says", a.program)}), nil
	}
	defer runtime.close()
	if t.Out, err = os.MkdirTemp("", "squall-doctor-"); err != nil {
		return nil, fmt.Errorf("make a folder for what is tried: %w", err)
	}
	defer os.RemoveAll(t.Out)
	if systems.Traced(system) {
		t.Trace = testplan.TraceFull
	}
	cfg := orchestrator.Config{Version: version, Runtime: runtime.Runtime, Build: a.build, CanBuild: canBuild, Progress: &doctorProgress{app: a}, LeaderTimeout: a.leaderTimeout}
	told := false // of the trace
	for _, w := range catalogue.Workloads() {
		if !w.Fits(systems.Prototype(system)) {
			continue
		}
		more, outcome, goOn := a.tryWorkload(ctx, t, w, system, cfg)
		found = append(found, more...)
		if goOn && outcome != nil && !told {
			found, told = append(found, traceNeeds(system, outcome.Dir, outcome.History)...), true
		}
		if !goOn {
			break
		}
	}
	return found, ctx.Err()
}

// tryWorkload runs one workload; goOn is whether another is worth it.
func (a *app) tryWorkload(ctx context.Context, t testplan.Test, w workloads.Workload, system systems.System, cfg orchestrator.Config) (found []need, outcome *orchestrator.Outcome, goOn bool) {
	option, _ := testplan.FindOption("workload")
	err := option.Set(&t, w.Name)
	if err == nil {
		err = t.Validate()
	}
	if err != nil {
		return []need{{Name: "workload " + w.Name, Found: err.Error()}}, nil, true
	}
	plan, err := testplan.NewPlan(t, version, a.program)
	if err != nil {
		return []need{{Name: "workload " + w.Name, Found: err.Error()}}, nil, false
	}
	outcome, err = orchestrator.Run(ctx, plan, cfg)
	if err != nil {
		return []need{{Name: "start", Found: err.Error()}}, nil, false
	}
	h := outcome.History
	if h == nil {
		return []need{notStarted(outcome.Results, system, t)}, nil, false
	}
	if serving := slices.IndexFunc(h.Marks, func(m history.Mark) bool { return m.Name == history.MarkServing }); serving < 0 {
		return []need{notStarted(outcome.Results, system, t)}, nil, false
	}
	found = append(found, functionNeeds(w, h)...)
	found = append(found, answersNeed(w, outcome.Results))
	if leader, ok := leaderNeed(system, h); ok {
		found = append(found, leader)
	}
	return found, outcome, true
}

// removedLog is where a log was that is gone when it is told about.
var removedLog = regexp.MustCompile(` \(its log: [^)]*\)|^activity: `)

// notStarted says why the node did not come to serve, and as what it was started.
func notStarted(r *check.Results, system systems.System, t testplan.Test) need {
	n := need{Name: "start", Found: "the system never served"}
	if len(r.Reasons) > 0 {
		why, _, _ := strings.Cut(r.Reasons[0], "; the system never served")
		n.Found = removedLog.ReplaceAllString(why, "")
	}
	n1 := systems.Node{ID: 1, Name: "n1", Addr: netip.MustParseAddr("198.18.0.1")}
	if start, err := system.Server(n1, systems.Cluster{Nodes: []systems.Node{n1}}, t.SystemParams); err == nil {
		n.Fix = fmt.Sprintf("it was started, at an address such as %s, in %s, as: %s", n1.Addr, cmp.Or(start.Dir, "/"), strings.Join(append(start.Env, start.Argv...), " "))
	}
	return n
}

// functionNeeds say of each function how its operations ended. One that was never done is
// wrong, and so is one of which an answer says nothing that the description knows: nothing
// is done to the node, so it need not leave anything open.
func functionNeeds(w workloads.Workload, h *history.History) []need {
	var found []need
	for _, f := range w.Functions.Names() {
		count, last, open := map[history.Outcome]int{}, map[history.Outcome]string{}, false
		for _, op := range h.Ops {
			if string(op.Func) == f {
				count[op.Outcome]++
				last[op.Outcome] = op.Error
				open = open || op.Outcome == history.Info && !op.Final && !late(op.Error) // final: also of before it served
			}
		}
		total := count[history.OK] + count[history.Fail] + count[history.Info]
		if total == 0 {
			continue // the workload leaves it out
		}
		n := need{Name: w.Name + " " + f, OK: count[history.OK] > 0 && !open, Found: fmt.Sprintf("%d of %d done", count[history.OK], total)}
		for _, o := range []history.Outcome{history.Fail, history.Info} {
			if what := map[history.Outcome]string{history.Fail: "failed", history.Info: "with an unknown outcome"}[o]; count[o] > 0 {
				n.Found += fmt.Sprintf("; %d %s, the last one: %s", count[o], what, plain.Text(last[o], 300))
			}
		}
		if !n.OK {
			n.Fix = "compare its request, and what is said of its answers, with what the server takes and answers; the error is what it said"
		}
		found = append(found, n)
	}
	return found
}

// late reports whether the driver gave an operation up: a busy computer is to blame, and
// not the description.
func late(text string) bool {
	return strings.HasPrefix(text, "timeout:") || text == "the driver ended"
}

// answersNeed says whether what one node answered without any fault makes sense. If not,
// the description misreads its answers, or it is the server.
func answersNeed(w workloads.Workload, r *check.Results) need {
	n := need{Name: w.Name + " answers", OK: true, Found: "they make sense together"}
	for _, c := range r.Checks {
		if c.Verdict == check.Violation {
			n.OK = false
			n.Found = c.Summary
			if c.Explanation != "" {
				n.Found = c.Explanation
			}
			n.Fix = "of one node without faults this means that the description misreads its answers (where the value stands, what refused, absent and done mean), or that the server acknowledges what it has not done"
		}
	}
	return n
}

// leaderNeed says whether it was seen who leads, of a system that tells; false: of one
// that does not.
func leaderNeed(system systems.System, h *history.History) (need, bool) {
	n := need{Name: "leader"}
	switch {
	case systems.Traced(system):
		n.Fix = "let its servers write the trace to file descriptor 3 (docs/trace.md)"
	case systems.ReadsLogs(system):
		n.Fix = "compare log.leader with what its server writes when it is elected"
	case systems.TellsLeader(system):
		n.Fix = "compare leader with what a node answers when it is asked, and what it calls itself"
	default:
		return n, false
	}
	for _, e := range h.Nodes {
		if e.Role == history.RoleLeader {
			n.OK, n.Found = true, fmt.Sprintf("%s became leader of term %d", e.Node, e.Term)
		}
	}
	for _, m := range h.Marks {
		if m.Name == history.MarkObserved && m.Text != "" {
			n.OK, n.Found = true, m.Text+" leads, say the nodes"
		}
	}
	if !n.OK {
		n.Found = "nobody was seen to lead: no line or answer says so, and no fault could aim at the leader"
	}
	return n, true
}

// doctorProgress tells of phases that take long.
type doctorProgress struct {
	app  *app
	mu   sync.Mutex
	told string
}

func (p *doctorProgress) Planned(*testplan.Plan, string)  {}
func (p *doctorProgress) Load(orchestrator.LoadStats)     {}
func (p *doctorProgress) Fault(history.Fault)             {}
func (p *doctorProgress) Leader(node string, term uint64) {}

// Phase tells of a phase, once.
func (p *doctorProgress) Phase(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasPrefix(text, "building") && text != p.told {
		p.told = text
		plain.Fprintf(p.app.errOut, "%s …\n", text)
	}
}
