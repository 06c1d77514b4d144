package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"
)

// Report says how many things were removed.
type Report struct {
	Containers int `json:"containers"`
	Networks   int `json:"networks"`
	Volumes    int `json:"volumes"` // those that their container had left
	Images     int `json:"images"`
	InUse      int `json:"inUse"` // runs that are under way; they were left alone
}

// CleanOptions says what more to remove.
type CleanOptions struct {
	Run    string // only what this run left; "" is every run
	Images bool   // images too; the next run makes its own again
	Force  bool   // also what runs need that are under way
}

// Clean removes every container, network and volume that a run on this engine
// left, or that any did. Runs that are under way are left alone.
func (r *Runtime) Clean(ctx context.Context, opts CleanOptions) (Report, error) {
	label := Label
	if opts.Run != "" {
		label += "=" + opts.Run
	}
	var report Report
	err := r.within(ctx, r.limits.clean, "removing everything", func(ctx context.Context) (err error) {
		report, err = r.cleanClusters(ctx, label, opts.Force)
		if opts.Images && !isSilent(err) {
			var imagesErr error
			report.Images, imagesErr = r.removeImages(ctx)
			err = errors.Join(err, imagesErr)
		}
		return err
	})
	switch {
	case isSilent(err):
		return report, fmt.Errorf("cleaning up: %w; when it answers again, squall clean removes what is left", err)
	case err != nil:
		return report, fmt.Errorf("cleaning up: %w", err)
	}
	return report, nil
}

// cleanClusters removes all clusters with that label that nobody needs.
func (r *Runtime) cleanClusters(ctx context.Context, label string, force bool) (report Report, err error) {
	all, err := r.clusters(ctx, label)
	if err != nil {
		return report, err
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if !force && all[id].inUse(leaseOf(id), time.Now()) {
			report.InUse++
			continue
		}
		removed, err := r.remove(ctx, ClusterLabel+"="+id)
		report.Containers += removed.Containers
		report.Networks += removed.Networks
		report.Volumes += removed.Volumes
		if err != nil {
			return report, err
		}
		dropLease(id)
	}
	return report, nil
}

// remove removes containers first, since networks and volumes that are in use
// cannot be removed.
func (r *Runtime) remove(ctx context.Context, label string) (Report, error) {
	var report Report
	var err error
	if report.Containers, err = r.removeContainers(ctx, label); err != nil {
		return report, err
	}
	if report.Networks, err = r.removeNetworks(ctx, label); err != nil {
		return report, err
	}
	report.Volumes, err = r.removeVolumes(ctx, label)
	return report, err
}

func (r *Runtime) removeContainers(ctx context.Context, label string) (int, error) {
	list := func(ctx context.Context) ([]string, error) {
		found, err := r.api.ContainerList(ctx, container.ListOptions{All: true, Filters: byLabel(label)})
		var ids []string
		for _, c := range found {
			ids = append(ids, c.ID)
		}
		return ids, err
	}
	return r.removeAll(ctx, "containers", list, func(ctx context.Context, id string) error {
		return r.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
}

func (r *Runtime) removeNetworks(ctx context.Context, label string) (int, error) {
	list := func(ctx context.Context) ([]string, error) {
		found, err := r.api.NetworkList(ctx, network.ListOptions{Filters: byLabel(label)})
		var ids []string
		for _, n := range found {
			ids = append(ids, n.ID)
		}
		return ids, err
	}
	return r.removeAll(ctx, "networks", list, func(ctx context.Context, id string) error {
		err := r.api.NetworkRemove(ctx, id)
		if err != nil && isAttached(err) {
			if detachErr := r.detachStale(ctx, id); detachErr != nil {
				return fmt.Errorf("%w; taking what is gone off it: %v", err, detachErr)
			}
		}
		return err // tried again
	})
}

// isAttached says that an engine keeps a network for what is attached to it.
func isAttached(err error) bool { return strings.Contains(err.Error(), "active endpoints") }

// staleEndpoint begins the key of an endpoint whose container is gone.
const staleEndpoint = "ep-"

// detachStale takes endpoints off a network whose containers are gone. An engine
// keeps one for good where a container was started while its end was still being
// dealt with (https://github.com/moby/moby/issues/17217). A container that is
// still there keeps its place: it is not ours to disconnect.
func (r *Runtime) detachStale(ctx context.Context, id string) error {
	found, err := r.api.NetworkInspect(ctx, id, network.InspectOptions{})
	if err != nil {
		return err
	}
	var errs []error
	for key, endpoint := range found.Containers {
		if strings.HasPrefix(key, staleEndpoint) {
			errs = append(errs, r.api.NetworkDisconnect(ctx, id, endpoint.Name, true))
		}
	}
	return errors.Join(errs...)
}

func (r *Runtime) removeVolumes(ctx context.Context, label string) (int, error) {
	list := func(ctx context.Context) ([]string, error) {
		found, err := r.api.VolumeList(ctx, volume.ListOptions{Filters: byLabel(label)})
		var names []string
		for _, v := range found.Volumes {
			names = append(names, v.Name)
		}
		return names, err
	}
	return r.removeAll(ctx, "volumes", list, func(ctx context.Context, name string) error {
		return r.api.VolumeRemove(ctx, name, true)
	})
}

func (r *Runtime) removeImages(ctx context.Context) (int, error) {
	list := func(ctx context.Context) ([]string, error) {
		found, err := r.api.ImageList(ctx, image.ListOptions{Filters: byLabel(Label + "=" + imageLabelValue)})
		var ids []string
		for _, i := range found {
			ids = append(ids, i.ID)
		}
		return ids, err
	}
	return r.removeAll(ctx, "images", list, func(ctx context.Context, id string) error {
		_, err := r.api.ImageRemove(ctx, id, image.RemoveOptions{Force: true, PruneChildren: true})
		return err
	})
}

func byLabel(label string) filters.Args { return filters.NewArgs(filters.Arg("label", label)) }

// Removing is tried again while the engine is still busy with a thing, or with
// what uses it: for some 12 seconds, since on a busy computer an engine takes that
// long to let go of a network.
const (
	removeRounds   = 20
	removePause    = 100 * time.Millisecond // doubled each time
	removeMaxPause = 800 * time.Millisecond
	// removeAtOnce leaves each enough of the engine that it is removed in time.
	removeAtOnce = 16
)

// removeAll removes what list finds, until it finds nothing, and counts.
func (r *Runtime) removeAll(ctx context.Context, what string, list func(context.Context) ([]string, error),
	remove func(ctx context.Context, id string) error) (int, error) {
	removed := 0
	var last error
	for round := range removeRounds {
		if round > 0 {
			select {
			case <-time.After(min(removePause<<(round-1), removeMaxPause)):
			case <-ctx.Done():
				return removed, fmt.Errorf("%w (%w)", last, ctx.Err())
			}
		}
		var ids []string
		err := r.ask(ctx, "listing "+what, func(ctx context.Context) (err error) {
			ids, err = list(ctx)
			return err
		})
		if err != nil {
			return removed, err
		}
		var n int
		n, last = r.removeEach(ctx, what, ids, remove)
		removed += n
		if last == nil || !mayPass(last) {
			return removed, last
		}
	}
	return removed, last
}

// removeEach removes many at once; one that is gone already counts.
func (r *Runtime) removeEach(ctx context.Context, what string, ids []string, remove func(ctx context.Context, id string) error) (int, error) {
	var removed atomic.Int64
	var group errgroup.Group
	group.SetLimit(removeAtOnce)
	for _, id := range ids {
		group.Go(func() error {
			err := r.within(ctx, r.limits.step, "removing "+what, func(ctx context.Context) error { return remove(ctx, id) })
			if err != nil && !errdefs.IsNotFound(err) {
				return err
			}
			removed.Add(1)
			return nil
		})
	}
	err := group.Wait()
	return int(removed.Load()), err
}

// mayPass tells an error of an engine that is busy from one that stays.
func mayPass(err error) bool {
	text := err.Error()
	return errdefs.IsConflict(err) || errdefs.IsInternal(err) ||
		strings.Contains(text, "in progress") || isAttached(err)
}
