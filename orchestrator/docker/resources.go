package docker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/versions"

	"squall/orchestrator/machines"
)

const minCPUs = 0.01 // what an engine can still measure out

// minMemory is the least that an engine of that API version grants: what it
// needs itself to start a container.
func minMemory(apiVersion string) int64 {
	if versions.LessThan(apiVersion, "1.41") {
		return 4 << 20
	}
	return 6 << 20
}

// cpuPeriod is the kernel's own choice, in microseconds.
const cpuPeriod = 100_000

// resources are limits as the engine sets them: 0 is none, or as it was. A quota
// can be lifted again, which the engine's other way to limit processors cannot.
// Memory and swap together are limited to the same, so that nothing is swapped
// out to get below the limit.
func resources(l machines.Limits) container.Resources {
	r := container.Resources{Memory: l.Memory, MemorySwap: l.Memory}
	if l.CPUs > 0 {
		r.CPUPeriod, r.CPUQuota = cpuPeriod, int64(math.Round(l.CPUs*cpuPeriod))
	}
	return r
}

func (r *Runtime) whatItLimits(ctx context.Context) (info system.Info, err error) {
	err = r.ask(ctx, "asking what it can limit", func(ctx context.Context) (err error) {
		info, err = r.api.Info(ctx)
		return err
	})
	return info, err
}

var _ machines.SpecChecker = (*Runtime)(nil)

// wrong is a mistake in the setting of that name.
func wrong(option, format string, args ...any) error {
	return &machines.LimitError{Limit: option, Err: fmt.Errorf(format, args...)}
}

// CheckSpecs refuses limits that the engine would not set, before anything is
// made, and a computer whose own routes leave no network for the machines.
func (r *Runtime) CheckSpecs(ctx context.Context, specs []machines.MachineSpec) error {
	if _, err := r.Networks(ctx); err != nil {
		return err
	}
	return r.checkLimits(ctx, specs)
}

// checkLimits refuses limits that the engine would not set: some engines leave
// them out with no more than a warning.
func (r *Runtime) checkLimits(ctx context.Context, specs []machines.MachineSpec) error {
	limited := func(m machines.MachineSpec) bool { return m.CPUs > 0 || m.Memory > 0 }
	if !slices.ContainsFunc(specs, limited) {
		return nil
	}
	info, err := r.whatItLimits(ctx)
	if err != nil {
		return err
	}
	for _, m := range specs {
		if err := r.checkCPUs(m, info); err != nil {
			return err
		}
		if err := r.checkMemory(m, info); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runtime) checkCPUs(m machines.MachineSpec, info system.Info) error {
	switch {
	case m.CPUs == 0:
		return nil
	case !info.CPUCfsQuota || !info.CPUCfsPeriod || info.CgroupDriver == "none":
		return r.cannotLimit("cpus", "processors' time", "the cgroup controller cpu", info)
	case m.CPUs < minCPUs:
		return wrong("cpus", "%v of %s is too little: %v is the least", m.CPUs, m.Name, minCPUs)
	case info.NCPU > 0 && m.CPUs > float64(info.NCPU):
		return wrong("cpus", "%v of %s is too much: the engine at %s has %d: use that or less, or leave the limit out",
			m.CPUs, m.Name, r.addr.Host, info.NCPU)
	}
	return nil
}

func (r *Runtime) checkMemory(m machines.MachineSpec, info system.Info) error {
	least := minMemory(r.api.ClientVersion())
	switch {
	case m.Memory == 0:
		return nil
	case !info.MemoryLimit || info.CgroupDriver == "none":
		return r.cannotLimit("memory", "memory", "the cgroup controller memory", info)
	case m.Memory < least:
		return wrong("memory", "%d bytes of %s are too few: the engine at %s grants %d MiB or more",
			m.Memory, m.Name, r.addr.Host, least>>20)
	}
	return nil
}

func (r *Runtime) cannotLimit(limit, what, controller string, info system.Info) error {
	why := fmt.Sprintf("its kernel has no %s, or does not let it be used", strings.TrimPrefix(controller, "the "))
	fix := "have the kernel mount it (cgroup v2 does), or leave the limit out"
	if slices.Contains(info.SecurityOptions, "name=rootless") {
		why = fmt.Sprintf("it is rootless and was not given %s", controller)
		fix = "run the engine under systemd with cgroup v2 and delegate the controller to its user " +
			"(https://docs.docker.com/engine/security/rootless/tips/#limiting-resources), or leave the limit out"
	}
	if info.CgroupVersion != "" {
		why += fmt.Sprintf(" (cgroup v%s, driver %s)", info.CgroupVersion, info.CgroupDriver)
	}
	return wrong(limit, "the engine at %s cannot limit %s: %s: %s", r.addr.Host, what, why, fix)
}

// limitLost finds among an engine's warnings that it left out a limit of the
// machine.
func (r *Runtime) limitLost(m machines.MachineSpec, warnings []string) error {
	for _, w := range warnings {
		text := strings.ToLower(w)
		if !strings.Contains(text, "discarded") && !strings.Contains(text, "ignored") {
			continue
		}
		lost := ""
		switch all := strings.Contains(text, "resource limits"); {
		case m.CPUs > 0 && (all || strings.Contains(text, "cpu")):
			lost = "cpus"
		case m.Memory > 0 && (all || strings.Contains(text, "memory")):
			lost = "memory"
		default:
			continue
		}
		return fmt.Errorf("%s: the engine at %s ignored this limit: %s: use another engine, or remove the limit",
			lost, r.addr.Host, strings.TrimSpace(w))
	}
	return nil
}
