package orchestrator

import (
	"context"

	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// needError says which faults of a plan cannot be done here, and why. It is
// found before the servers start.
type needError struct{ error }

// checkNeeds asks the runtime and every machine for what the plan's faults
// need.
func (r *run) checkNeeds(ctx context.Context) error {
	wanted := needsOf(r.plan.Schedule)
	if len(wanted) == 0 {
		return nil
	}
	agents := make([]*protocol.Client, len(r.nodes.all))
	for i, n := range r.nodes.all {
		agents[i] = n.agent()
	}
	why, err := cannot(ctx, r.cfg.Runtime, agents)
	if err != nil {
		return err
	}
	if err := unmet(wanted, why); err != nil {
		return &needError{err}
	}
	return nil
}

// cannot asks what cannot be done by a runtime and the machines of these agents:
// for each need that is not met, why.
func cannot(ctx context.Context, rt machines.Runtime, agents []*protocol.Client) (map[nemesis.Need]string, error) {
	can := rt.Can(ctx)
	why := map[nemesis.Need]string{
		nemesis.NeedCPU: can[machines.CanLimitCPUs], nemesis.NeedMemory: can[machines.CanLimitMemory], nemesis.NeedRestart: can[machines.CanRestart],
		nemesis.NeedDisk: can[machines.CanDisk],
	}
	for _, agent := range agents {
		features, err := agent.Features(ctx)
		if err != nil {
			return nil, err
		}
		for need, reason := range map[nemesis.Need]string{
			nemesis.NeedCut:    features[protocol.FeatureCut],
			nemesis.NeedReject: features[protocol.FeatureReject],
			nemesis.NeedRaw:    features[protocol.FeatureRaw],
			nemesis.NeedShape:  noShaper(features),
		} {
			if why[need] == "" {
				why[need] = reason
			}
		}
	}
	return why, nil
}

// noShaper is why packets cannot be shaped; either engine will do.
func noShaper(features map[string]string) string {
	netem, queue := features[protocol.FeatureNetem], features[protocol.FeatureQueue]
	if netem == "" || queue == "" {
		return ""
	}
	return "neither by the kernel (" + netem + ") nor by the agent (" + queue + ")"
}
