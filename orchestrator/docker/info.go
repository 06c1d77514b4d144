package docker

import (
	"context"
	"fmt"
	"time"
)

// Info is what is worth knowing of an engine.
type Info struct {
	Host          string        `json:"host"` // its address
	Version       string        `json:"version"`
	APIVersion    string        `json:"apiVersion"` // the one in use
	Arch          string        `json:"arch"`       // as GOARCH
	OS            string        `json:"os"`         // such as "Debian GNU/Linux 12 (bookworm)"
	OSType        string        `json:"osType"`     // such as "linux"
	Kernel        string        `json:"kernel"`
	Cgroup        string        `json:"cgroup"` // version: "1" or "2"
	StorageDriver string        `json:"storageDriver"`
	CPUs          int           `json:"cpus"`
	MemoryBytes   int64         `json:"memoryBytes"`
	Latency       time.Duration `json:"latencyNs"` // of a request that does nothing
}

// Info asks the engine about itself.
func (r *Runtime) Info(ctx context.Context) (Info, error) {
	version, err := r.api.ServerVersion(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("asking the engine for its version: %w", err)
	}
	info, err := r.api.Info(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("asking the engine about itself: %w", err)
	}
	begin := time.Now()
	if _, err := r.api.Ping(ctx); err != nil {
		return Info{}, fmt.Errorf("pinging the engine: %w", err)
	}
	latency := time.Since(begin)
	return Info{
		Host:          r.host,
		Version:       version.Version,
		APIVersion:    r.api.ClientVersion(),
		Arch:          version.Arch,
		OS:            info.OperatingSystem,
		OSType:        info.OSType,
		Kernel:        info.KernelVersion,
		Cgroup:        info.CgroupVersion,
		StorageDriver: info.Driver,
		CPUs:          info.NCPU,
		MemoryBytes:   info.MemTotal,
		Latency:       latency,
	}, nil
}

// Arch is the engine's processor architecture, as GOARCH: what to build a
// node's binary for.
func (r *Runtime) Arch(ctx context.Context) (string, error) {
	version, err := r.api.ServerVersion(ctx)
	if err != nil {
		return "", fmt.Errorf("asking the engine for its architecture: %w", err)
	}
	if version.Os != "linux" {
		return "", fmt.Errorf("the engine runs %s containers, Linux ones are needed: switch Docker to them", version.Os)
	}
	return version.Arch, nil
}
