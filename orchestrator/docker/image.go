package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"squall/nodeimage"
	"squall/nodeimage/files"
	"squall/orchestrator/machines"
)

// imageRepo is the name of all images; the tag is the key of the binary and, where
// there are any, of the files.
const imageRepo = "squall/node"

func imageName(binaryKey string, set *files.Set) string {
	if key := set.Key(); key != "" {
		binaryKey += "-" + key
	}
	return imageRepo + ":" + binaryKey
}

// ensureImages makes the images of all machines that are not there yet. What was
// sent to the engine before is not sent again.
func (r *Runtime) ensureImages(ctx context.Context, spec machines.ClusterSpec) error {
	seen := map[string]bool{}
	for _, m := range spec.Machines {
		ref := imageName(spec.BinaryKey, m.Files)
		if seen[ref] {
			continue
		}
		seen[ref] = true
		if err := r.ensureImage(ctx, ref, spec.Binary, m.Files); err != nil {
			return err
		}
	}
	return nil
}

// slowest is how fast an engine must take an image, in bytes a second: one far
// away, or with a slow disk.
const slowest = 1 << 20

// ensureImage makes the image that holds the binary and the files, if it is not
// there. No builder and no registry is needed.
func (r *Runtime) ensureImage(ctx context.Context, ref, binary string, set *files.Set) error {
	r.importing.Lock()
	defer r.importing.Unlock()
	err := r.ask(ctx, "looking for the image "+ref, func(ctx context.Context) error {
		_, err := r.api.ImageInspect(ctx, ref)
		return err
	})
	if err == nil || !errdefs.IsNotFound(err) {
		return err
	}
	r.log.Debug("making the image", "image", ref, "bytes of files", set.Bytes())
	limit := r.limits.image + time.Duration(set.Bytes()/slowest)*time.Second
	err = r.within(ctx, limit, "making the image "+ref, func(ctx context.Context) error {
		return r.importImage(ctx, ref, binary, set)
	})
	if err != nil {
		return err
	}
	r.pruneImages(ctx)
	return nil
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

func (r *Runtime) importImage(ctx context.Context, ref, binary string, set *files.Set) error {
	entrypoint, err := json.Marshal([]string{nodeimage.BinaryPath, "agent"})
	if err != nil {
		return err
	}
	rootFS, w := io.Pipe()
	go func() { w.CloseWithError(nodeimage.RootFS(w, binary, set)) }()
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
	return messagesOf(answer)
}
