package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
}

// CleanOptions says what more to remove.
type CleanOptions struct {
	Run    string // only what this run left; "" is every run
	Images bool   // images too; the next run makes its own again
}

// Clean removes every container, network and volume that a run on this engine
// made, or that any did, also one that is under way.
func (r *Runtime) Clean(ctx context.Context, opts CleanOptions) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	label := Label
	if opts.Run != "" {
		label += "=" + opts.Run
	}
	report, err := r.remove(ctx, label)
	if opts.Images {
		var imagesErr error
		report.Images, imagesErr = r.removeImages(ctx)
		err = errors.Join(err, imagesErr)
	}
	if err != nil {
		return report, fmt.Errorf("cleaning up: %w", err)
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
	list := func() ([]string, error) {
		found, err := r.api.ContainerList(ctx, container.ListOptions{All: true, Filters: byLabel(label)})
		var ids []string
		for _, c := range found {
			ids = append(ids, c.ID)
		}
		return ids, err
	}
	return removeAll(ctx, "containers", list, func(id string) error {
		return r.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
}

func (r *Runtime) removeNetworks(ctx context.Context, label string) (int, error) {
	list := func() ([]string, error) {
		found, err := r.api.NetworkList(ctx, network.ListOptions{Filters: byLabel(label)})
		var ids []string
		for _, n := range found {
			ids = append(ids, n.ID)
		}
		return ids, err
	}
	return removeAll(ctx, "networks", list, func(id string) error { return r.api.NetworkRemove(ctx, id) })
}

func (r *Runtime) removeVolumes(ctx context.Context, label string) (int, error) {
	list := func() ([]string, error) {
		found, err := r.api.VolumeList(ctx, volume.ListOptions{Filters: byLabel(label)})
		var names []string
		for _, v := range found.Volumes {
			names = append(names, v.Name)
		}
		return names, err
	}
	return removeAll(ctx, "volumes", list, func(name string) error { return r.api.VolumeRemove(ctx, name, true) })
}

func (r *Runtime) removeImages(ctx context.Context) (int, error) {
	list := func() ([]string, error) {
		found, err := r.api.ImageList(ctx, image.ListOptions{Filters: byLabel(Label + "=" + imageLabelValue)})
		var ids []string
		for _, i := range found {
			ids = append(ids, i.ID)
		}
		return ids, err
	}
	return removeAll(ctx, "images", list, func(id string) error {
		_, err := r.api.ImageRemove(ctx, id, image.RemoveOptions{Force: true, PruneChildren: true})
		return err
	})
}

func byLabel(label string) filters.Args { return filters.NewArgs(filters.Arg("label", label)) }

// Removing is tried again while the engine is still busy with a thing, or with
// what uses it.
const (
	removeRounds = 20
	removePause  = 100 * time.Millisecond
)

// removeAll removes what list finds, all at once, until it finds nothing.
func removeAll(ctx context.Context, what string, list func() ([]string, error), remove func(id string) error) (int, error) {
	removed := make(map[string]bool)
	var last error
	for round := range removeRounds {
		if round > 0 {
			select {
			case <-time.After(removePause):
			case <-ctx.Done():
				return len(removed), fmt.Errorf("removing %s: %w", what, errors.Join(ctx.Err(), last))
			}
		}
		ids, err := list()
		if err != nil {
			return len(removed), fmt.Errorf("listing %s: %w", what, err)
		}
		if len(ids) == 0 {
			return len(removed), nil
		}
		var group errgroup.Group
		for _, id := range ids {
			removed[id] = true
			group.Go(func() error {
				if err := remove(id); err != nil && !errdefs.IsNotFound(err) {
					return err
				}
				return nil
			})
		}
		if last = group.Wait(); last == nil {
			return len(removed), nil
		} else if !mayPass(last) {
			return len(removed), fmt.Errorf("removing %s: %w", what, last)
		}
	}
	return len(removed), fmt.Errorf("removing %s: %w", what, last)
}

// mayPass tells an error of an engine that is busy from one that stays.
func mayPass(err error) bool {
	text := err.Error()
	return errdefs.IsConflict(err) || errdefs.IsInternal(err) ||
		strings.Contains(text, "in progress") || strings.Contains(text, "active endpoints")
}
