package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"squall/nodeimage"
	"squall/orchestrator"
	"squall/orchestrator/docker"
	"squall/orchestrator/local"
	"squall/orchestrator/testplan"
)

// places are the runtimes of a campaign, by the names that its tests ask for.
type places map[string]opened

// openAll opens every runtime of those names, once for all cells.
func (a *app) openAll(ctx context.Context, names []string, log *slog.Logger) (places, error) {
	all := places{}
	for _, name := range names {
		runtime, err := a.open(ctx, name, log)
		if err != nil {
			all.close()
			return nil, err
		}
		all[name] = runtime
	}
	return all, nil
}

func (p places) close() {
	for _, runtime := range p {
		runtime.close()
	}
}

// preflight looks for what would keep the tests of a campaign from starting:
// once for all that ask for the same.
func (p places) preflight(ctx context.Context, tests []testplan.Test) error {
	type asked struct {
		runtime, mutant, system string
		nodes, memory           int
		cpus                    float64
	}
	seen := map[asked]bool{}
	for _, t := range tests {
		a := asked{t.Runtime, t.Mutant, t.SystemCall(), t.Nodes, t.Memory, t.CPUs}
		if seen[a] {
			continue
		}
		seen[a] = true
		if err := orchestrator.Preflight(ctx, t, nil, orchestrator.Config{Runtime: p[t.Runtime].Runtime, CanBuild: canBuild}); err != nil {
			return fmt.Errorf("the cell %s: %w", t.Name, err)
		}
	}
	return nil
}

func (p places) lines(ctx context.Context) []string {
	var lines []string
	for _, runtime := range p {
		lines = append(lines, runtime.line(ctx))
	}
	return lines
}

// clean removes what a run left behind when squall was killed: its containers,
// networks and volumes, or its disks and control groups.
func (p places) clean(ctx context.Context, t testplan.Test, run string) error {
	_, err := local.Clean(local.Options{}, run)
	if engine, ok := p[t.Runtime].Runtime.(*docker.Runtime); ok {
		_, dockerErr := engine.Clean(ctx, docker.CleanOptions{Run: run})
		err = errors.Join(err, dockerErr)
	}
	return err
}

// builder makes the node's binary.
type builder = func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error)

// buildOnce builds the node once for every mutant: all cells of a campaign run
// the same one, also when its sources change meanwhile.
func buildOnce(build builder) builder {
	type key struct{ arch, mutant string }
	var mu sync.Mutex
	built := map[key]nodeimage.Binary{}
	return func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error) {
		mu.Lock()
		defer mu.Unlock()
		k := key{arch, mutant}
		if bin, ok := built[k]; ok {
			return bin, nil
		}
		bin, err := build(ctx, arch, mutant)
		if err == nil {
			built[k] = bin
		}
		return bin, err
	}
}
