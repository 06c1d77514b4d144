package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/docker/docker/api/types/container"

	"squall/orchestrator/machines"
)

// noMemoryLimit takes a limit away: it is what the kernel itself has where there
// is none. The engine takes 0 for "as it was", and no less than minMemory.
const noMemoryLimit = math.MaxInt64 &^ 4095

// change are the resources that lead from some limits to others.
func change(from, to machines.Limits) container.Resources {
	r := resources(to)
	if to.CPUs == 0 && from.CPUs > 0 {
		r.CPUQuota = -1
	}
	if to.Memory == 0 && from.Memory > 0 {
		r.Memory, r.MemorySwap = noMemoryLimit, noMemoryLimit
	}
	return r
}

// Limit sets what the machine may use.
func (m *machine) Limit(ctx context.Context, limits machines.Limits) error {
	return m.turn.Do(ctx, "limiting the machine "+m.spec.Name, func(ctx context.Context) error { return m.limit(ctx, limits) })
}

func (m *machine) limit(ctx context.Context, limits machines.Limits) error {
	if err := limits.Validate(); err != nil {
		return err
	}
	to := limits.Or(m.spec)
	if to == m.limits {
		return nil
	}
	wanted := machines.MachineSpec{Name: m.spec.Name, CPUs: to.CPUs, Memory: to.Memory}
	if err := m.runtime.checkLimits(ctx, []machines.MachineSpec{wanted}); err != nil {
		return err
	}
	if to.Memory > 0 && (m.limits.Memory == 0 || to.Memory < m.limits.Memory) {
		if err := m.spare(ctx, to.Memory); err != nil {
			return err
		}
	}
	var answer container.UpdateResponse
	err := m.runtime.step(ctx, "setting the limits of "+m.spec.Name, func(ctx context.Context) (err error) {
		answer, err = m.runtime.api.ContainerUpdate(ctx, m.id, container.UpdateConfig{Resources: change(m.limits, to)})
		return err
	})
	if err != nil {
		return explainLimit(err, to)
	}
	m.limits = to
	return m.runtime.limitLost(wanted, answer.Warnings)
}

// spare refuses a limit below what is in use: version 2 of control groups would
// kill at once to get there.
func (m *machine) spare(ctx context.Context, limit int64) error {
	var stats container.StatsResponse
	err := m.runtime.ask(ctx, "asking what memory "+m.spec.Name+" uses", func(ctx context.Context) error {
		answer, err := m.runtime.api.ContainerStatsOneShot(ctx, m.id)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return json.NewDecoder(answer.Body).Decode(&stats)
	})
	if err != nil {
		return err
	}
	used := stats.MemoryStats.Usage
	for name, bytes := range stats.MemoryStats.Stats {
		// What the kernel could take back at once; with version 1 of control
		// groups the names have a prefix.
		switch name {
		case "total_active_file", "total_inactive_file":
			used -= min(bytes, used)
		case "active_file", "inactive_file":
			if _, old := stats.MemoryStats.Stats["total_"+name]; !old {
				used -= min(bytes, used)
			}
		}
	}
	if used > uint64(limit) {
		return fmt.Errorf("memory: %d bytes are less than the machine uses now (%d bytes that it cannot give back at once): "+
			"give it more, or end what uses it: %w", limit, used, machines.ErrMemoryInUse)
	}
	return nil
}

// explainLimit finds in the engine's words that more memory is in use than a
// limit allows.
func explainLimit(err error, to machines.Limits) error {
	text := err.Error()
	if strings.Contains(text, "current usage") || strings.Contains(text, "device or resource busy") {
		return fmt.Errorf("memory: %d bytes are less than the machine uses now and cannot give back: "+
			"give it more, or end what uses it: %w: %w", to.Memory, machines.ErrMemoryInUse, err)
	}
	return err
}

// Can asks the engine what it can limit.
func (r *Runtime) Can(ctx context.Context) map[string]string {
	can := map[string]string{machines.CanLimitCPUs: "", machines.CanLimitMemory: "", machines.CanRestart: "", machines.CanDisk: ""}
	info, err := r.whatItLimits(ctx)
	if err != nil {
		for key := range can {
			can[key] = err.Error()
		}
		return can
	}
	can[machines.CanDisk] = r.noFuse()
	some := machines.MachineSpec{CPUs: minCPUs, Memory: 1 << 30} // an engine that can, can do that
	if err := r.checkCPUs(some, info); err != nil {
		can[machines.CanLimitCPUs] = err.Error()
	}
	if err := r.checkMemory(some, info); err != nil {
		can[machines.CanLimitMemory] = err.Error()
	}
	return can
}
