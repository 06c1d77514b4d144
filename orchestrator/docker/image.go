package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
	_, err := r.api.ImageInspect(ctx, ref)
	if err == nil {
		return ref, nil
	}
	if !errdefs.IsNotFound(err) {
		return "", fmt.Errorf("looking for the image %s: %w", ref, err)
	}
	r.log.Debug("making the image", "image", ref)
	if err := r.importImage(ctx, ref, spec.Binary); err != nil {
		return "", fmt.Errorf("making the image %s: %w", ref, err)
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
	found, err := r.api.ImageList(ctx, image.ListOptions{Filters: byLabel(Label + "=" + imageLabelValue)})
	if err != nil {
		r.log.Debug("images cannot be listed", "err", err)
		return
	}
	for _, old := range outdated(found, time.Now()) {
		if _, err := r.api.ImageRemove(ctx, old.ID, image.RemoveOptions{PruneChildren: true}); err != nil {
			r.log.Debug("an old image stays", "image", old.ID, "err", err)
		}
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
