package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/gofrs/flock"

	"squall/nodeimage"
)

// A cluster has a lease on this computer: a file that the process which made it
// holds locked for as long as it needs it. The kernel lets go of the lock when
// the process ends, however it ends, so a lease that is there and not locked is of
// a run that has ended. Of clusters that were made elsewhere there is none here.

// leaseFolder is where the leases are.
func leaseFolder() (string, error) {
	cache, err := nodeimage.CacheDir()
	return filepath.Join(cache, "docker"), err
}

func leasePath(cluster string) (string, error) {
	folder, err := leaseFolder()
	return filepath.Join(folder, cluster+".lock"), err
}

// takeLease locks the lease of a new cluster.
func takeLease(cluster string) (*flock.Flock, error) {
	path, err := leasePath(cluster)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	lease := flock.New(path)
	if ok, err := lease.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("lock %s", path), err)
	}
	return lease, nil
}

// holding is what the lease of a cluster says.
type holding int

const (
	noLease  holding = iota // it was not made by this user on this computer
	free                    // who made it has ended
	occupied                // who made it lives
)

func leaseOf(cluster string) holding {
	path, err := leasePath(cluster)
	if err != nil {
		return noLease
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err != nil {
		return noLease
	}
	lease := flock.New(path)
	ok, err := lease.TryRLock()
	if err == nil && ok {
		_ = lease.Unlock()
		return free
	}
	return occupied
}

// dropLease removes the lease of a cluster of which nothing is left.
func dropLease(cluster string) {
	if path, err := leasePath(cluster); err == nil {
		_ = os.Remove(path)
	}
}

// remains is what there is of a cluster on the engine.
type remains struct {
	running bool // one of its containers is
	newest  time.Time
}

// startingUp is how long machines may take to be up: a cluster that is younger,
// and of which nothing runs, may be one that is being made.
const startingUp = 5 * time.Minute

// inUse reports whether a run that is under way needs the cluster. Of one that
// was made elsewhere it goes by the containers: the agent in each ends when squall
// does, and the driver's at no other time.
func (c remains) inUse(lease holding, now time.Time) bool {
	switch lease {
	case occupied:
		return true
	case free:
		return false
	}
	return c.running || now.Sub(c.newest) < startingUp
}

// clusters are those of which something with that label is on the engine.
func (r *Runtime) clusters(ctx context.Context, label string) (map[string]remains, error) {
	all := map[string]remains{}
	note := func(labels map[string]string, running bool, made time.Time) {
		id := labels[ClusterLabel]
		if id == "" {
			return
		}
		c := all[id]
		c.running = c.running || running
		if made.After(c.newest) {
			c.newest = made
		}
		all[id] = c
	}
	err := r.ask(ctx, "listing what runs have made", func(ctx context.Context) error {
		containers, err := r.api.ContainerList(ctx, container.ListOptions{All: true, Filters: byLabel(label)})
		if err != nil {
			return err
		}
		for _, c := range containers {
			note(c.Labels, c.State == "running" || c.State == "paused" || c.State == "restarting", time.Unix(c.Created, 0))
		}
		networks, err := r.api.NetworkList(ctx, network.ListOptions{Filters: byLabel(label)})
		if err != nil {
			return err
		}
		for _, n := range networks {
			note(n.Labels, false, n.Created)
		}
		volumes, err := r.api.VolumeList(ctx, volume.ListOptions{Filters: byLabel(label)})
		for _, v := range volumes.Volumes {
			made, _ := time.Parse(time.RFC3339, v.CreatedAt)
			note(v.Labels, false, made)
		}
		return err
	})
	return all, err
}

// Leftovers is how many clusters are on the engine of which nobody has use any
// more: of runs that were killed, or kept.
func (r *Runtime) Leftovers(ctx context.Context) (int, error) {
	all, err := r.clusters(ctx, Label)
	n := 0
	for id, c := range all {
		if !c.inUse(leaseOf(id), time.Now()) {
			n++
		}
	}
	return n, err
}
