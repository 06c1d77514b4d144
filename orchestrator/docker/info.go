package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/system"
)

// Info is what is worth knowing of an engine.
type Info struct {
	Host          string        `json:"host"` // its address
	From          string        `json:"from"` // who gave the address, as in "from DOCKER_HOST"
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

// String is the engine in one line, for people.
func (i Info) String() string { return fmt.Sprintf("Docker %s at %s (%s)", i.Version, i.Host, i.From) }

// Info asks the engine about itself.
func (r *Runtime) Info(ctx context.Context) (Info, error) {
	version, err := r.version(ctx)
	if err != nil {
		return Info{}, err
	}
	var info system.Info
	err = r.ask(ctx, "asking it about itself", func(ctx context.Context) (err error) {
		info, err = r.api.Info(ctx)
		return err
	})
	if err != nil {
		return Info{}, err
	}
	begin := time.Now()
	err = r.ask(ctx, "pinging it", func(ctx context.Context) error {
		_, err := r.api.Ping(ctx)
		return err
	})
	if err != nil {
		return Info{}, err
	}
	latency := time.Since(begin)
	return Info{
		Host:          r.addr.Host,
		From:          r.addr.from,
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
	version, err := r.version(ctx)
	if err != nil {
		return "", err
	}
	if version.Os != "linux" {
		return "", notLinux(r.addr, version.Os)
	}
	return version.Arch, nil
}

func (r *Runtime) version(ctx context.Context) (version types.Version, err error) {
	err = r.ask(ctx, "asking for its version and architecture", func(ctx context.Context) (err error) {
		version, err = r.api.ServerVersion(ctx)
		return err
	})
	return version, err
}

// Describe names the engine. One that does not answer is named all the same.
func (r *Runtime) Describe(ctx context.Context) string {
	version, err := r.version(ctx)
	if err != nil {
		return "Docker at " + r.addr.Host
	}
	return "Docker " + version.Version + " at " + r.addr.Host
}
