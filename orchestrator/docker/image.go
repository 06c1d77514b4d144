package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"squall/nodeimage"
	"squall/orchestrator"
)

// imageRepo is the name of all images; the tag is the binary's key.
const imageRepo = "squall/node"

// ensureImage returns the name of the image that holds the spec's binary, and
// makes the image if it is not there. No builder and no registry is needed.
func (r *Runtime) ensureImage(ctx context.Context, spec orchestrator.ClusterSpec) (string, error) {
	ref := imageRepo + ":" + spec.BinaryKey
	r.importing.Lock()
	defer r.importing.Unlock()
	err := r.ask(ctx, "looking for the image "+ref, func(ctx context.Context) error {
		_, err := r.api.ImageInspect(ctx, ref)
		return err
	})
	if err == nil {
		return ref, nil
	}
	if !errdefs.IsNotFound(err) {
		return "", err
	}
	r.log.Debug("making the image", "image", ref)
	err = r.within(ctx, r.limits.image, "making the image "+ref, func(ctx context.Context) error {
		return r.importImage(ctx, ref, spec.Binary)
	})
	if err != nil {
		return "", err
	}
	r.pruneImages(ctx)
	return ref, nil
}

// Every change of the sources makes an image. The newest are kept, and those
// made lately, which another squall may be about to use.
const (
	imagesKept   = 8
	imageLateFor = time.Hour
)

// pruneImages removes images of old sources. It is no matter if it cannot:
// what is in use stays, and `squall clean --images` removes the rest.
func (r *Runtime) pruneImages(ctx context.Context) {
	err := r.ask(ctx, "removing images of old sources", func(ctx context.Context) error {
		found, err := r.api.ImageList(ctx, image.ListOptions{Filters: byLabel(Label + "=" + imageLabelValue)})
		if err != nil {
			return err
		}
		for _, old := range outdated(found, time.Now()) {
			if _, err := r.api.ImageRemove(ctx, old.ID, image.RemoveOptions{PruneChildren: true}); err != nil {
				r.log.Debug("an old image stays", "image", old.ID, "err", err)
			}
		}
		return ctx.Err()
	})
	if err != nil {
		r.log.Debug("images of old sources stay", "err", err)
	}
}

// outdated is what may go of the images.
func outdated(images []image.Summary, now time.Time) []image.Summary {
	images = slices.SortedFunc(slices.Values(images), func(a, b image.Summary) int { return cmp.Compare(b.Created, a.Created) })
	images = images[min(imagesKept, len(images)):]
	late := now.Add(-imageLateFor).Unix()
	return slices.DeleteFunc(images, func(i image.Summary) bool { return i.Created > late })
}

func (r *Runtime) importImage(ctx context.Context, ref, binary string) error {
	entrypoint, err := json.Marshal([]string{nodeimage.BinaryPath, "agent"})
	if err != nil {
		return err
	}
	rootFS, w := io.Pipe()
	go func() { w.CloseWithError(nodeimage.RootFS(w, binary)) }()
	defer rootFS.Close() // which also ends the writer, should the engine not read it all
	// An engine that takes no more is hung, however long a far one may need.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var hung atomic.Bool
	sent := watch(rootFS, r.limits.step, func() { hung.Store(true); stop() })
	defer sent.Close()
	err = r.sendImage(ctx, ref, sent, entrypoint)
	if err != nil && hung.Load() {
		return r.silent(r.limits.step, "making the image "+ref)
	}
	return err
}

func (r *Runtime) sendImage(ctx context.Context, ref string, rootFS io.Reader, entrypoint []byte) error {
	answer, err := r.api.ImageImport(ctx, image.ImportSource{Source: rootFS, SourceName: "-"}, ref, image.ImportOptions{
		Changes: []string{
			"ENTRYPOINT " + string(entrypoint),
			"LABEL " + Label + "=" + imageLabelValue,
		},
		Message: "squall-node",
	})
	if err != nil {
		return err
	}
	defer answer.Close()
	// The engine answers at once and tells of failure in what follows.
	for messages := json.NewDecoder(answer); ; {
		var m struct{ Error string }
		if err := messages.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if m.Error != "" {
			return errors.New(m.Error)
		}
	}
}
