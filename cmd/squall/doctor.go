package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"squall/nodeimage"
	"squall/orchestrator"
	"squall/orchestrator/docker"
)

// need is one thing that squall cannot do without.
type need struct {
	Name  string `json:"need"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`          // what there is, or what went wrong
	Mend  string `json:"mend,omitempty"` // what to do about it
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for everything that a run needs, and say how to mend what is missing",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			needs := a.examine(cmd.Context())
			if err := a.printNeeds(needs, asJSON); err != nil {
				return err
			}
			for _, n := range needs {
				if !n.OK {
					return &exitError{code: exitInvalid}
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (a *app) printNeeds(needs []need, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(needs)
	}
	for _, n := range needs {
		mark := "✓"
		if !n.OK {
			mark = "✗"
		}
		fmt.Fprintf(a.out, "%s %-18s %s\n", mark, n.Name, strings.ReplaceAll(n.Found, "\n", "\n"+strings.Repeat(" ", 21)))
		if !n.OK && n.Mend != "" {
			fmt.Fprintf(a.out, "  %-18s → %s\n", "", n.Mend)
		}
	}
	return nil
}

// examine looks at every need in the order in which a run meets them.
func (a *app) examine(ctx context.Context) []need {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	needs := append(nodeNeeds(ctx), runsFolder())
	runtime, err := docker.New(ctx, docker.Options{})
	if err != nil {
		return append(needs, need{"Docker engine", false, err.Error(), "start Docker, or point DOCKER_HOST at an engine"})
	}
	defer runtime.Close()
	needs = append(needs, engine(ctx, runtime))
	proof, err := orchestrator.SelfTest(ctx, runtime, a.build)
	if err != nil {
		return append(needs, need{"machines", false, err.Error(), "the engine's kernel needs nf_tables (modprobe nf_tables)"})
	}
	return append(needs, need{"machines", true, proof, ""})
}

func goToolchain(ctx context.Context) need {
	out, err := exec.CommandContext(ctx, "go", "version").Output()
	if err != nil {
		return need{"Go toolchain", false, err.Error(), "install Go 1.26 or newer and put it on PATH"}
	}
	return need{"Go toolchain", true, strings.TrimPrefix(strings.TrimSpace(string(out)), "go version "), ""}
}

func sources() need {
	root, err := nodeimage.FindRoot()
	if err != nil {
		return need{"squall's sources", false, err.Error(), "run squall in a checkout of its repository"}
	}
	return need{"squall's sources", true, root, ""}
}

func runsFolder() need {
	folder := orchestrator.DefaultTest().Out
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return need{"folder of runs", false, err.Error(), "choose a folder that can be written with --out"}
	}
	probe, err := os.CreateTemp(folder, ".doctor-")
	if err != nil {
		return need{"folder of runs", false, err.Error(), "choose a folder that can be written with --out"}
	}
	probe.Close()
	os.Remove(probe.Name())
	return need{"folder of runs", true, folder + " can be written", ""}
}

func engine(ctx context.Context, runtime *docker.Runtime) need {
	info, err := runtime.Info(ctx)
	if err != nil {
		return need{"Docker engine", false, err.Error(), "see whether `docker info` works"}
	}
	found := fmt.Sprintf("%s (API %s) at %s: %s/%s, %s, kernel %s, cgroup v%s, %s, %d CPUs, answers in %v", info.Version,
		info.APIVersion, info.Host, info.OSType, info.Arch, info.OS, info.Kernel, info.Cgroup, info.StorageDriver,
		info.CPUs, info.Latency.Round(10*time.Microsecond))
	return need{"Docker engine", info.OSType == "linux", found, "switch the engine to Linux containers"}
}
