package docker

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/system"

	"squall/internal/machinetest"
	"squall/orchestrator/machines"
)

func capable() system.Info {
	return system.Info{CPUCfsPeriod: true, CPUCfsQuota: true, MemoryLimit: true, NCPU: 2, CgroupDriver: "cgroupfs", CgroupVersion: "2"}
}

// TestLimitsRefused has limits that the engine would not set. They are refused
// by name before anything was made.
func TestLimitsRefused(t *testing.T) {
	t.Parallel()
	cpus := machines.MachineSpec{Name: "n1", CPUs: 0.5}
	memory := machines.MachineSpec{Name: "n1", Memory: 64 << 20}
	tests := map[string]struct {
		machine machines.MachineSpec
		change  func(*system.Info)
		version string
		want    []string
	}{
		"no quota":       {cpus, func(i *system.Info) { i.CPUCfsQuota = false }, "", []string{"cpus: ", "cannot limit processors' time", "leave the limit out"}},
		"no memory":      {memory, func(i *system.Info) { i.MemoryLimit = false }, "", []string{"memory: ", "cannot limit memory", "leave the limit out"}},
		"no driver":      {memory, func(i *system.Info) { i.CgroupDriver = "none" }, "", []string{"memory: ", "cannot limit memory"}},
		"rootless":       {cpus, rootless, "", []string{"cpus: ", "rootless", "cgroup v1", "delegate"}},
		"more than all":  {machines.MachineSpec{Name: "n1", CPUs: 2.5}, nil, "", []string{"cpus: 2.5 of n1 is too much", "has 2"}},
		"next to none":   {machines.MachineSpec{Name: "n1", CPUs: 0.001}, nil, "", []string{"cpus: 0.001 of n1 is too little"}},
		"too few bytes":  {machines.MachineSpec{Name: "n1", Memory: 5 << 20}, nil, "", []string{"memory: 5242880 bytes of n1", "6 MiB"}},
		"too few before": {machines.MachineSpec{Name: "n1", Memory: 3 << 20}, nil, "1.40", []string{"memory: 3145728 bytes of n1", "4 MiB"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := capable()
			if test.change != nil {
				test.change(&info)
			}
			f := &fakeEngine{version: test.version, answers: map[string]http.HandlerFunc{"GET /info": says(200, info)}}
			r := connect(t, f.start(t))
			_, err := r.Up(t.Context(), fakeSpec(t, machines.MachineSpec{Name: "driver"}, test.machine))
			if err == nil {
				t.Fatal("not refused")
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v, want %q in it", err, w)
				}
			}
			if made := slices.DeleteFunc(f.requests(), func(q string) bool { return !strings.HasPrefix(q, "POST") }); len(made) > 0 {
				t.Errorf("made before it was refused: %v", made)
			}
		})
	}
}

func rootless(i *system.Info) {
	i.CPUCfsQuota, i.CPUCfsPeriod, i.CgroupVersion, i.CgroupDriver = false, false, "1", "none"
	i.SecurityOptions = []string{"name=seccomp,profile=default", "name=rootless"}
}

// TestLimitLeftOut is an engine that only warns that it left a limit out.
func TestLimitLeftOut(t *testing.T) {
	t.Parallel()
	both := machines.MachineSpec{Name: "n1", CPUs: 1, Memory: 64 << 20}
	for warning, want := range map[string]string{
		"Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.": "memory: ",
		"Your kernel does not support CPU CFS scheduler. CPU limit discarded.":                                       "cpus: ",
		"Resource limits are not supported and ignored on cgroups V1 rootless systems":                               "cpus: ",
		// The limit itself was set.
		"Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.": "",
		"IPv4 forwarding is disabled. Networking will not work.":                                                          "",
	} {
		f := &fakeEngine{answers: map[string]http.HandlerFunc{
			"GET /info":               says(200, capable()),
			"POST /containers/create": says(201, map[string]any{"Id": "box", "Warnings": []string{warning}}),
		}}
		_, err := connect(t, f.start(t)).Up(t.Context(), fakeSpec(t, both))
		// Without a container to attach to, Up fails in any case.
		lost := err != nil && strings.Contains(err.Error(), "ignored this limit")
		if lost != (want != "") || lost && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), warning)) {
			t.Errorf("%q: %v, want %q", warning, err, want)
		}
	}
	if err := new(Runtime).limitLost(machines.MachineSpec{Name: "n1"}, []string{"Memory limit discarded."}); err != nil {
		t.Errorf("no limit was wanted: %v", err)
	}
}

// TestNoLimitNoQuestion leaves an engine alone that cannot set limits and does
// not have to.
func TestNoLimitNoQuestion(t *testing.T) {
	t.Parallel()
	f := &fakeEngine{}
	connect(t, f.start(t)).Up(t.Context(), fakeSpec(t, machines.MachineSpec{Name: "n1"}))
	if asked := f.requests(); slices.Contains(asked, "GET /v1.41/info") || !slices.Contains(asked, "POST /v1.41/containers/create") {
		t.Errorf("asked: %v", asked)
	}
}

// TestLimitsSet reads limits back from the real engine.
func TestLimitsSet(t *testing.T) {
	t.Parallel()
	r := engine(t)
	s := spec(t, r, "n1", "driver")
	s.Machines[0].CPUs, s.Machines[0].Memory = 0.29, 64<<20
	if err := r.CheckSpecs(t.Context(), s.Machines); err != nil && strings.Contains(err.Error(), "cannot limit") {
		machinetest.Skip(t, err) // so it is refused, which is right
	}
	c := up(t, r, s)
	for name, want := range map[string][2]int64{"n1": {29_000, 64 << 20}, "driver": {}} {
		info, err := r.api.ContainerInspect(t.Context(), c.Machine(name).(*machine).id)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]int64{info.HostConfig.CPUQuota, info.HostConfig.Memory}; got != want {
			t.Errorf("%s: µs in every 100 ms and bytes: %v, want %v", name, got, want)
		}
	}
	client := command(t, c.Machine("n1"))
	if _, err := client.Hello(t.Context()); err != nil {
		t.Error(err)
	}
}
