package docker

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"squall/orchestrator/machines"
)

var _ machines.Images = (*Runtime)(nil)

// pullLimit is how long an image may take to be pulled.
const pullLimit = 15 * time.Minute

func imageError(format string, args ...any) error {
	return &machines.ImageError{Err: fmt.Errorf(format, args...)}
}

// FindImage finds an image on the engine, or has the engine pull it.
func (r *Runtime) FindImage(ctx context.Context, reference, arch string, pulling func()) (id string, err error) {
	found, err := r.inspectImage(ctx, reference)
	if errdefs.IsNotFound(err) {
		pulling()
		if err := r.pull(ctx, reference, arch); err != nil {
			return "", err
		}
		found, err = r.inspectImage(ctx, reference)
	}
	if err != nil {
		return "", err
	}
	if found.Os != "linux" || found.Architecture != arch {
		return "", imageError("the image %s on the engine is for %s/%s, but the machines are linux/%s: pull the one for that (docker pull --platform linux/%s %s), or name another",
			reference, found.Os, found.Architecture, arch, arch, reference)
	}
	return found.ID, nil
}

func (r *Runtime) inspectImage(ctx context.Context, reference string) (found image.InspectResponse, err error) {
	err = r.ask(ctx, "looking for the image "+reference, func(ctx context.Context) (err error) {
		found, err = r.api.ImageInspect(ctx, reference)
		return err
	})
	return found, err
}

// pull has the engine pull an image, and reads what it tells of that to its end.
func (r *Runtime) pull(ctx context.Context, reference, arch string) error {
	err := r.within(ctx, pullLimit, "pulling the image "+reference, func(ctx context.Context) error {
		answer, err := r.api.ImagePull(ctx, reference, image.PullOptions{Platform: "linux/" + arch})
		if err != nil {
			return err
		}
		defer answer.Close()
		return messagesOf(answer)
	})
	if err == nil || ctx.Err() != nil || isSilent(err) {
		return err
	}
	return imageError("%w: correct its name, see that the engine reaches its registry for linux/%s and is logged in there, or load the image (docker load)", err, arch)
}

// messagesOf reads what an engine tells while it works. It answers at once and tells of
// failure in what follows.
func messagesOf(answer io.Reader) error {
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

// CopyFromImage copies a file out of a container that is made of the image, never
// started, and removed. Should squall be killed meanwhile, `squall clean` removes it.
func (r *Runtime) CopyFromImage(ctx context.Context, id, path string, to io.Writer) error {
	cluster := machines.ClusterID("image-file")
	lease, err := takeLease(cluster)
	if err != nil {
		return fmt.Errorf("copying %s out of an image: %w", path, err)
	}
	defer func() {
		_ = lease.Close()
		dropLease(cluster)
	}()
	var made container.CreateResponse
	err = r.step(ctx, "making a container of the image", func(ctx context.Context) (err error) {
		made, err = r.api.ContainerCreate(ctx, &container.Config{
			Image: id, Cmd: []string{"never-started"}, NetworkDisabled: true,
			Labels: map[string]string{Label: "image-file", ClusterLabel: cluster},
		}, nil, nil, nil, "")
		return err
	})
	if err != nil {
		return err
	}
	err = r.copyFrom(ctx, made.ID, path, to)
	removeErr := r.step(ctx, "removing the container of the image", func(ctx context.Context) error {
		return r.api.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
	return errors.Join(err, removeErr)
}

// maxLinks is how many symbolic links are followed, as the kernel does.
const maxLinks = 40

// copyFrom copies a file out of a container, through symbolic links.
func (r *Runtime) copyFrom(ctx context.Context, id, file string, to io.Writer) error {
	asked := file
	for range maxLinks {
		link, err := r.copyOne(ctx, id, file, to)
		if errdefs.IsNotFound(err) {
			return imageError("the image has no file %s: name one that it has", asked)
		}
		if err != nil && strings.Contains(err.Error(), "too many links") { // the engine looked itself
			break
		}
		if err != nil || link == "" {
			return err
		}
		if !path.IsAbs(link) {
			link = path.Join(path.Dir(file), link)
		}
		file = path.Clean(link)
	}
	return imageError("%s in the image is a chain of symbolic links without an end: name the file itself", asked)
}

// copyOne copies a file, or says where a symbolic link leads.
func (r *Runtime) copyOne(ctx context.Context, id, file string, to io.Writer) (link string, err error) {
	err = r.within(ctx, r.limits.image, "copying "+file+" out of an image", func(ctx context.Context) error {
		archive, _, err := r.api.CopyFromContainer(ctx, id, file)
		if err != nil {
			return err
		}
		defer archive.Close()
		in := tar.NewReader(archive)
		head, err := in.Next()
		if err != nil {
			return err
		}
		switch head.Typeflag {
		case tar.TypeSymlink:
			link = head.Linkname
			return nil
		case tar.TypeReg:
			_, err = io.Copy(to, in)
			return err
		case tar.TypeDir:
			return imageError("%s in the image is a folder: name a file", strings.TrimSuffix(file, "/"))
		}
		return imageError("%s in the image is no regular file: name one", file)
	})
	return link, err
}
