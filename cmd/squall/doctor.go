package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"squall/internal/host"
	"squall/internal/plain"
	"squall/nemesis/faults"
	"squall/nodeimage"
	"squall/orchestrator"
	"squall/orchestrator/docker"
	"squall/orchestrator/local"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// need is one thing that squall cannot do without.
type need struct {
	Name  string `json:"need"`
	OK    bool   `json:"ok"`
	Spare bool   `json:"spare,omitempty"` // a run can do without it, since another is there
	Found string `json:"found"`           // what there is, or what went wrong
	Fix   string `json:"fix,omitempty"`   // what to do about it
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	runtime := testplan.DefaultTest().Runtime
	cmd := &cobra.Command{
		Use:   "doctor [SYSTEM]",
		Short: "Check what a run needs, and say how to fix what is missing",
		Long: `Check what a run needs, and say how to fix what is missing.

With a system, such as system.yaml or 'system.yaml(reads=quorum)': start one node
of it, wait until it serves, run operations of every kind, and say what is wrong.`,
		Args:              oneArg,
		ValidArgsFunction: completeTestFiles,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var needs []need
			if len(args) == 1 {
				needs, err = a.examineSystem(cmd.Context(), args[0], runtime)
			} else {
				needs = a.examine(cmd.Context())
			}
			if err != nil {
				return err
			}
			if err := a.printNeeds(needs, asJSON); err != nil {
				return err
			}
			for _, n := range needs {
				if !n.OK && !n.Spare {
					return &exitError{code: exitInvalid}
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().StringVar(&runtime, "runtime", runtime, "where the node of a system runs: auto, docker or local")
	return cmd
}

func (a *app) printNeeds(needs []need, asJSON bool) error {
	if asJSON {
		return plain.JSON(a.out, needs)
	}
	folded(a.out, func(w io.Writer) { printFound(w, needs) })
	return nil
}

// printFound prints what was found of every need, and how to fix what is missing.
func printFound(w io.Writer, needs []need) {
	for _, n := range needs {
		mark := met()
		switch {
		case !n.OK && n.Spare:
			mark = without()
		case !n.OK:
			mark = missed()
		}
		plain.Fprintf(w, "%s %-18s  %s\n", mark, n.Name, plain.Lines(n.Found, strings.Repeat(" ", 22)))
		if !n.OK && n.Fix != "" {
			plain.Fprintf(w, "  %-18s  → %s\n", "", n.Fix)
		}
	}
}

// examine looks at every need in the order in which a run meets them.
func (a *app) examine(ctx context.Context) []need {
	return slices.Concat([]need{hostNeed()}, nodeNeeds(ctx), []need{runsFolder()}, a.examineRuntimes(ctx), a.leftoverNeed(ctx))
}

// hostNeed says how busy this computer is. One that is too busy is no failure:
// it may be quiet when the test runs.
func hostNeed() need {
	state := host.Look(os.TempDir())
	n := need{Name: "this computer", OK: true, Found: state.String()}
	if busy := state.Busy(); busy != "" {
		n.OK, n.Spare = false, true
		n.Found = "too busy for a test: " + busy + " (" + n.Found + ")"
		n.Fix = "wait until it is idle, or use another one: on a busy computer, election times and latencies are not the cluster's own"
	}
	return n
}

// leftoverNeed says when there is something to clean, which is no failure.
func (a *app) leftoverNeed(ctx context.Context) []need {
	engine, err := docker.New(ctx, docker.Options{})
	if err == nil {
		defer engine.Close()
	} else {
		engine = nil
	}
	text := leftovers(ctx, engine)
	if text == "" {
		return nil
	}
	return []need{{Name: "leftovers", Spare: true, Found: text + ", killed or kept", Fix: "`" + a.program + " clean` removes them"}}
}

// tryTimeout is how long a runtime may take for what doctor has it do.
const tryTimeout = 2 * time.Minute

// examineRuntimes tries each runtime. One that works is enough: then what the
// other lacks is no need.
func (a *app) examineRuntimes(ctx context.Context) []need {
	inDocker, here := a.examineDocker(ctx), a.examineLocal(ctx)
	if allOK(here) {
		spare(inDocker)
	}
	if allOK(inDocker) {
		spare(here)
	}
	return append(inDocker, here...)
}

func allOK(needs []need) bool {
	return !slices.ContainsFunc(needs, func(n need) bool { return !n.OK && !n.Spare })
}

func spare(needs []need) {
	for i := range needs {
		needs[i].Spare = true
	}
}

func (a *app) examineDocker(ctx context.Context) []need {
	runtime, err := docker.New(ctx, docker.Options{})
	if err != nil {
		return []need{{Name: "Docker engine", Found: err.Error(), Fix: "start Docker, or point DOCKER_HOST at an engine"}}
	}
	defer runtime.Close()
	return slices.Concat([]need{engine(ctx, runtime)}, networks(ctx, runtime), a.tryMachines(ctx, runtime))
}

// networks says where this computer's routes are in the way of the machines'
// networks; nothing where none is.
func networks(ctx context.Context, runtime *docker.Runtime) []need {
	found, err := runtime.Networks(ctx)
	switch {
	case err != nil:
		return []need{{Name: "Docker networks", Found: err.Error()}}
	case found != "":
		return []need{{Name: "Docker networks", OK: true, Found: found}}
	}
	return nil
}

func (a *app) examineLocal(ctx context.Context) []need {
	runtime, err := local.New(local.Options{})
	if err != nil {
		return []need{{Name: "namespaces", Found: err.Error()}}
	}
	return append([]need{{Name: "namespaces", OK: true, Found: runtime.Describe(ctx)}}, a.tryMachines(ctx, runtime)...)
}

// tryMachines tries what every fault stands on, and asks what faults can be done.
func (a *app) tryMachines(ctx context.Context, runtime machines.Runtime) []need {
	n := need{Name: runtime.Name() + " machines"}
	ready, err := a.built(ctx, runtime)
	if err != nil {
		n.Found = err.Error()
		return []need{n}
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	if n.Found, err = orchestrator.SelfTest(ctx, runtime, ready); err != nil {
		n.Found = err.Error()
		return []need{n}
	}
	n.OK = true
	return []need{n, a.askFaults(ctx, runtime, ready)}
}

// built makes the node's binary for a runtime, which takes as long as it takes,
// and returns a builder that has it ready: what is limited comes after.
func (a *app) built(ctx context.Context, runtime machines.Runtime) (orchestrator.Builder, error) {
	arch, err := runtime.Arch(ctx)
	if err != nil {
		return nil, err
	}
	binary, err := a.build(ctx, arch, "")
	return func(context.Context, string, string) (nodeimage.Binary, error) { return binary, nil }, err
}

// askFaults says which faults cannot be done, and why. That is no failure: most
// tests go without them, and one that does not is refused.
func (a *app) askFaults(ctx context.Context, runtime machines.Runtime, build orchestrator.Builder) need {
	n := need{Name: runtime.Name() + " faults"}
	missing, err := orchestrator.Abilities(ctx, runtime, build)
	if err != nil {
		n.Found = err.Error()
		return n
	}
	n.OK = true
	can := 0
	var cannot []string
	for _, f := range faults.All() {
		why := ""
		for _, need := range f.Needs {
			if why == "" {
				why = missing[need]
			}
		}
		if can++; why != "" {
			can--
			cannot = append(cannot, "not "+f.Name+": "+why)
		}
	}
	n.Found = strings.Join(append([]string{fmt.Sprintf("%d work here (`%s list faults`)", can, a.program)}, cannot...), "\n")
	return n
}

func goToolchain(ctx context.Context) need {
	out, err := exec.CommandContext(ctx, "go", "version").Output()
	if err != nil {
		return need{Name: "Go toolchain", Found: err.Error(), Fix: "install Go 1.26 or newer and put it on PATH"}
	}
	return need{Name: "Go toolchain", OK: true, Found: strings.TrimPrefix(strings.TrimSpace(string(out)), "go version ")}
}

func sources() need {
	root, err := nodeimage.FindRoot()
	if err != nil {
		return need{Name: "squall's sources", Found: err.Error(), Fix: "run squall in a checkout of its repository"}
	}
	return need{Name: "squall's sources", OK: true, Found: root}
}

func runsFolder() need {
	folder := testplan.DefaultTest().Out
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return need{Name: "folder of runs", Found: err.Error(), Fix: "choose a folder that can be written with --out"}
	}
	probe, err := os.CreateTemp(folder, ".doctor-")
	if err != nil {
		return need{Name: "folder of runs", Found: err.Error(), Fix: "choose a folder that can be written with --out"}
	}
	probe.Close()
	os.Remove(probe.Name())
	return need{Name: "folder of runs", OK: true, Found: folder + " can be written"}
}

func engine(ctx context.Context, runtime *docker.Runtime) need {
	info, err := runtime.Info(ctx)
	if err != nil {
		return need{Name: "Docker engine", Found: err.Error(), Fix: "see whether `docker info` works"}
	}
	found := fmt.Sprintf("%s (API %s) at %s: %s/%s, %s, kernel %s, cgroup v%s, %s, %d CPUs, answers in %v", info.Version,
		info.APIVersion, info.Host, info.OSType, info.Arch, info.OS, info.Kernel, info.Cgroup, info.StorageDriver,
		info.CPUs, info.Latency.Round(10*time.Microsecond))
	return need{Name: "Docker engine", OK: info.OSType == "linux", Found: found, Fix: "switch the engine to Linux containers"}
}
