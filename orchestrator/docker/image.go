package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	return ref, nil
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
