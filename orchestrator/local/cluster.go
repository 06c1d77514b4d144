package local

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"squall/nodeimage"
	"squall/nodeimage/files"
	"squall/nodeimage/hub/protocol"
	"squall/orchestrator/machines"
)

// How long the hub may take. All it does is quick, but the computer may be
// busy, and a disk that fills up or hangs must not hold us for ever.
const (
	upTimeout   = 30 * time.Second
	downTimeout = 20 * time.Second
)

// cluster is a hub and its machines.
type cluster struct {
	runtime  *Runtime
	folder   protocol.Folder
	hub      *hub
	machines map[string]*machine
}

// network is that of every cluster: none sees another.
func network() netip.Prefix {
	return netip.PrefixFrom(netip.MustParsePrefix(machines.NetworkPool).Addr(), 24)
}

// Up starts a hub, which makes the machines.
func (r *Runtime) Up(ctx context.Context, spec machines.ClusterSpec) (machines.Cluster, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := spec.CheckFiles(ctx, r); err != nil {
		return nil, err
	}
	begin := time.Now()
	id := machines.ClusterID(spec.Run)
	c := &cluster{runtime: r, folder: protocol.Folder(filepath.Join(r.folder, id)), machines: map[string]*machine{}}
	config := protocol.Config{Folder: string(c.folder), Cluster: id, Network: network(),
		BinaryPath: nodeimage.BinaryPath, DataDir: nodeimage.DataDir,
		TempSize: nodeimage.TempSize, TempFiles: nodeimage.TempFiles}
	for i, m := range spec.Machines {
		config.Machines = append(config.Machines, protocol.Machine{Name: m.Name,
			Addr: machines.MachineAddr(config.Network, i), CPUs: m.CPUs, Memory: m.Memory,
			Files: addFiles(&config, m.Files), Processes: nodeimage.MachineProcesses, Agent: nodeimage.AgentArgs(id, i, m.Disk, m.DiskJournal), Disk: m.Disk, ServerUIDs: nodeimage.ServerUIDs(id, i)})
	}
	err := c.up(ctx, config, spec.Binary)
	if err != nil {
		err = fmt.Errorf("bringing the machines of run %s up: %w", spec.Run, explain(err, r.unprivileged))
		return nil, errors.Join(err, c.Down(ctx))
	}
	r.log.Debug("machines up", "run", spec.Run, "took", time.Since(begin))
	return c, nil
}

// addFiles adds a set to what the hub is to lay out, once, and returns its key.
func addFiles(config *protocol.Config, set *files.Set) string {
	key := set.Key()
	if key == "" || slices.ContainsFunc(config.FileSets, func(s protocol.FileSet) bool { return s.Key == key }) {
		return key
	}
	laid := protocol.FileSet{Key: key}
	for _, f := range set.Files() {
		laid.Files = append(laid.Files, protocol.File{Path: f.Path, From: f.Kept})
	}
	config.FileSets = append(config.FileSets, laid)
	return key
}

func (c *cluster) up(ctx context.Context, config protocol.Config, binary string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if c.hub, err = startHub(binary, config, c.machines, c.runtime.unprivileged); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	return c.hub.awaitUp(ctx)
}

// Machine is the machine of that name; nil for a name that is not the spec's.
func (c *cluster) Machine(name string) machines.Machine {
	m, ok := c.machines[name]
	if !ok {
		return nil
	}
	return m
}

// Keep ends the machines and leaves their disks.
func (c *cluster) Keep(ctx context.Context) (string, error) {
	if err := c.end(ctx, protocol.VerbKeep); err != nil {
		return "", fmt.Errorf("ending the machines of %s: %w", c.folder, err)
	}
	c.hub = nil
	return filepath.Dir(c.folder.Disk("*")), nil
}

// Down removes the machines and their disks. It does so even when ctx has
// ended already, and has a deadline of its own.
func (c *cluster) Down(ctx context.Context) error {
	if c.hub == nil {
		return nil
	}
	begin := time.Now()
	if err := c.end(ctx, protocol.VerbDown); err != nil {
		return fmt.Errorf("taking the machines in %s down: %w (squall clean removes what is left)", c.folder, err)
	}
	c.hub = nil
	c.runtime.log.Debug("machines down", "folder", c.folder, "took", time.Since(begin))
	return nil
}

// end has the hub end everything. Where it cannot, the kernel does: when the
// hub dies, so do the machines.
func (c *cluster) end(ctx context.Context, verb string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
	defer cancel()
	why := c.hub.leave(ctx, verb)
	for _, m := range c.machines {
		m.now().control.Close()
	}
	if why == nil {
		return nil
	}
	c.runtime.log.Warn("the hub did not end as it should", "err", why)
	if verb == protocol.VerbKeep {
		return c.folder.Keep()
	}
	return c.folder.Remove()
}
