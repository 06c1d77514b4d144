package docker

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"squall/nodeimage"
	"squall/orchestrator/machines"
)

// cluster is a run's containers and network.
type cluster struct {
	runtime  *Runtime
	run, id  string
	machines map[string]*machine

	mu    sync.Mutex
	down  bool
	lease *flock.Flock // nil: it could not be taken
}

// Up makes a network and the machines on it. On an error, which may be the end
// of ctx, nothing is left behind.
func (r *Runtime) Up(ctx context.Context, spec machines.ClusterSpec) (machines.Cluster, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	c := &cluster{runtime: r, run: spec.Run, id: machines.ClusterID(spec.Run), machines: make(map[string]*machine)}
	var err error
	if c.lease, err = takeLease(c.id); err != nil {
		r.log.Warn("squall clean on another computer, or of another user, may take this run for one that has ended", "err", err)
	}
	if err := c.up(ctx, spec); err != nil {
		err = fmt.Errorf("bringing the machines of run %s up: %w", spec.Run, err)
		if downErr := c.Down(ctx); downErr != nil {
			err = fmt.Errorf("%w; %w", err, downErr)
		}
		return nil, err
	}
	return c, nil
}

// labels are on everything that is the cluster's.
func (c *cluster) labels() map[string]string {
	return map[string]string{Label: c.run, ClusterLabel: c.id}
}

func (c *cluster) up(ctx context.Context, spec machines.ClusterSpec) error {
	begin := time.Now()
	if err := c.runtime.checkLimits(ctx, spec.Machines); err != nil {
		return err
	}
	if err := spec.CheckFiles(ctx, c.runtime); err != nil {
		return err
	}
	var subnet netip.Prefix
	first, firstCtx := errgroup.WithContext(ctx)
	first.Go(func() error { return c.runtime.ensureImages(firstCtx, spec) })
	first.Go(func() (err error) {
		subnet, err = c.createNetwork(firstCtx)
		return err
	})
	if err := first.Wait(); err != nil {
		return err
	}
	ready := time.Now()
	for i, m := range spec.Machines {
		c.machines[m.Name] = &machine{runtime: c.runtime, spec: m, index: i, limits: machines.Limits{}.Or(m),
			addr: machines.MachineAddr(subnet, i), turn: machines.NewTurn()}
	}
	machines, machinesCtx := errgroup.WithContext(ctx)
	for _, m := range c.machines {
		machines.Go(func() error {
			if err := m.up(machinesCtx, c, imageName(spec.BinaryKey, m.spec.Files)); err != nil {
				return fmt.Errorf("machine %s: %w", m.spec.Name, err)
			}
			return nil
		})
	}
	err := machines.Wait()
	if err == nil {
		err = ctx.Err() // who called it off does not want the machines
	}
	c.runtime.log.Debug("machines up", "run", c.run, "subnet", subnet, "err", err,
		"image+network", ready.Sub(begin), "containers", time.Since(ready))
	return err
}

// up makes the container and lets it run.
func (m *machine) up(ctx context.Context, c *cluster, image string) error {
	config, host, net := m.config(c, image)
	if err := ctx.Err(); err != nil {
		return err
	}
	var created container.CreateResponse
	err := m.runtime.step(ctx, "making the container of "+m.spec.Name, func(ctx context.Context) (err error) {
		created, err = m.runtime.api.ContainerCreate(ctx, config, host, net, nil, networkName(c.id)+"-"+m.spec.Name)
		return err
	})
	if err != nil {
		return err
	}
	m.id = created.ID
	if err := m.runtime.limitLost(m.spec, created.Warnings); err != nil {
		return err
	}
	return m.begin(ctx)
}

// begin lets the container run, attached to from before: what process 1 says
// first is not lost.
func (m *machine) begin(ctx context.Context) error {
	control, err := m.attach(ctx)
	if err != nil {
		return err
	}
	if !m.newLife(control) {
		return errTakenDown
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.runtime.step(ctx, "starting the container of "+m.spec.Name, func(ctx context.Context) error {
		return explainFuse(m.runtime.api.ContainerStart(ctx, m.id, container.StartOptions{}))
	})
}

// attach takes hold of stdin and stdout of process 1, which is not there yet.
func (m *machine) attach(ctx context.Context) (got *control, err error) {
	r := m.runtime
	err = r.patiently(ctx, "attaching to the container of "+m.spec.Name, func(ctx context.Context) error {
		type answer struct {
			types.HijackedResponse
			err error
		}
		came := make(chan answer, 1)
		go func() {
			attached, err := r.api.ContainerAttach(ctx, m.id, container.AttachOptions{
				Stream: true, Stdin: true, Stdout: true, Stderr: true,
			})
			came <- answer{attached, err}
		}()
		select {
		case a := <-came:
			if a.err == nil {
				got = newControl(a.Conn, a.Reader)
			}
			return a.err
		case <-ctx.Done():
			// The client heeds no end of a context while it waits for the
			// engine's answer. One that comes late is not wanted any more.
			go func() {
				if late := <-came; late.err == nil {
					late.Close()
				}
			}()
			return ctx.Err()
		}
	})
	return got, err
}

// agentCapabilities are the agent's: to shape and cut the network, to give
// servers a user of their own with a data directory, and to end them. All are
// among those that an engine gives to every container, but for NET_ADMIN.
func agentCapabilities() []string {
	return []string{"NET_ADMIN", "NET_RAW", "SETUID", "SETGID", "KILL", "CHOWN"}
}

var tempOptions = fmt.Sprintf("rw,exec,nosuid,nodev,mode=1777,size=%d,nr_inodes=%d", nodeimage.TempSize, nodeimage.TempFiles)

func (m *machine) config(c *cluster, image string) (*container.Config, *container.HostConfig, *network.NetworkingConfig) {
	labels := c.labels()
	labels[MachineLabel] = m.spec.Name
	noInit := false
	config := &container.Config{
		Image:        image,
		Cmd:          nodeimage.AgentArgs(c.id, m.index, m.spec.Disk, m.spec.DiskJournal), // after the image's entry point
		Hostname:     m.spec.Name,
		Labels:       labels,
		OpenStdin:    true,
		StdinOnce:    true, // the agent's stdin ends with this attachment
		AttachStdin:  true,
		AttachStdout: true,
		AttachStderr: true,
	}
	host := &container.HostConfig{
		NetworkMode:   container.NetworkMode(networkName(c.id)),
		LogConfig:     container.LogConfig{Type: "none"}, // stdout is a protocol, and much
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		CapDrop:       []string{"ALL"},
		CapAdd:        agentCapabilities(),
		SecurityOpt:   []string{"no-new-privileges"},
		Init:          &noInit, // the agent is process 1
		Resources:     resources(m.limits),
		// Else a server could put a program of its own in the place of the
		// agent, which is process 1 after the next power cut.
		ReadonlyRootfs: true,
		Tmpfs:          map[string]string{nodeimage.TempDir: tempOptions},
		ShmSize:        nodeimage.TempSize,
		// Ulimits stay the engine's: one that may not raise them (rootless, or
		// confined itself) would refuse to start the container, and a Go
		// program takes its hard limit of open files by itself. Likewise the
		// agent is not protected from the kernel when memory runs out.
		// A volume is a directory of the host's own disk; the container's file
		// system may be anything, with an fsync of its own kind. Having no
		// name, it goes with the container.
		Mounts: []mount.Mount{{
			Type:          mount.TypeVolume,
			Target:        nodeimage.DataDir,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: labels},
		}},
	}
	if m.spec.Disk { // and only then: these are rights over the host that no other test needs
		host.CapAdd = append(host.CapAdd, "SYS_ADMIN")
		host.SecurityOpt = append(host.SecurityOpt, "apparmor=unconfined")
		host.Resources.Devices = append(host.Resources.Devices, container.DeviceMapping{PathOnHost: fuseDevice, PathInContainer: fuseDevice, CgroupPermissions: "rwm"})
	}
	// An engine that cannot count processes leaves this out with a warning; the
	// agent notices, and what else holds is in docs/isolation.md.
	processes := int64(nodeimage.MachineProcesses)
	host.PidsLimit = &processes
	net := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		networkName(c.id): {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: m.addr.String()}},
	}}
	return config, host, net
}

// Machine is the machine of that name; nil for a name that is not the spec's.
func (c *cluster) Machine(name string) machines.Machine {
	m, ok := c.machines[name]
	if !ok {
		return nil
	}
	return m
}

// release gives the lease up.
func (c *cluster) release() {
	if c.lease != nil {
		_ = c.lease.Close()
	}
}

// Keep ends the agents, and with them the containers, which keep their disks.
func (c *cluster) Keep(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.machines {
		m.noMoreLives()
		m.hangUp() // an agent whose stdin ends leaves
	}
	c.down = true
	c.release() // it is there and free: squall clean may remove them
	return "the containers " + networkName(c.id) + "-*", nil
}

// Down removes the machines, their disks and the network. It does so even when
// ctx has ended already, and has a deadline of its own.
func (c *cluster) Down(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil
	}
	defer c.release() // what could not be removed is nobody's any more
	r := c.runtime
	begin := time.Now()
	for _, m := range c.machines {
		m.noMoreLives()
	}
	var removed Report
	err := r.within(context.WithoutCancel(ctx), r.limits.clean, "removing everything", func(ctx context.Context) (err error) {
		removed, err = r.remove(ctx, ClusterLabel+"="+c.id)
		return err
	})
	for _, m := range c.machines {
		m.hangUp()
	}
	if err != nil {
		return fmt.Errorf("taking the machines of run %s down: %w (squall clean removes what is left)", c.run, err)
	}
	c.down = true
	dropLease(c.id)
	r.log.Debug("machines down", "run", c.run, "containers", removed.Containers, "took", time.Since(begin))
	return nil
}
