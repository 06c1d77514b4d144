package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"

	"squall/nodeimage"
	"squall/nodeimage/files"
	"squall/nodeimage/programs"
	"squall/orchestrator/machines"
)

// origins make files of machines out of what they come from: modules and images.
type origins struct {
	arch     string // of the machines
	images   func(context.Context) (images machines.Images, done func(), err error)
	progress Progress
}

// canMake says why files could not be made, without making one.
func canMake(list []files.File, arch string) error {
	builder, err := nodeimage.Programs()
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.Build == nil {
			continue
		}
		if err := builder.Can(f.Build, arch); err != nil {
			return &files.Error{File: f, Err: err}
		}
	}
	return nil
}

// resolve has every file of a list be one on this computer.
func (o origins) resolve(ctx context.Context, list []files.File) ([]files.File, error) {
	var made []files.File
	for _, f := range list {
		var err error
		of := f
		switch {
		case f.Build != nil:
			f.Source, err = o.build(ctx, f.Build)
		case f.Image != nil:
			f.Source, err = o.extract(ctx, f.Image)
		}
		if err != nil {
			return nil, blameOrigin(of, err)
		}
		f.Build, f.Image = nil, nil
		made = append(made, f)
	}
	return made, nil
}

func (o origins) build(ctx context.Context, b *files.Build) (string, error) {
	builder, err := nodeimage.Programs()
	if err != nil {
		return "", err
	}
	return builder.Make(ctx, b, o.arch, func() { o.progress.Phase("building " + b.Name + " (once; that takes minutes)") })
}

// extract takes a file out of an image.
func (o origins) extract(ctx context.Context, i *files.Image) (string, error) {
	images, done, err := o.images(ctx)
	if err != nil {
		return "", &machines.ImageError{Err: fmt.Errorf("a file out of an image takes a Docker engine, whatever runs the machines: %w", err)}
	}
	defer done()
	id, err := images.FindImage(ctx, i.Reference, o.arch, func() { o.progress.Phase("pulling the image " + i.Reference) })
	if err != nil {
		return "", err
	}
	return nodeimage.Extract{ID: id, Path: i.Path}.Keep(func(to io.Writer) error { return images.CopyFromImage(ctx, id, i.Path, to) })
}

// blameOrigin says that the file is to blame where it is: its description, and not this
// computer or the engine.
func blameOrigin(f files.File, err error) error {
	var program *programs.Error
	var image *machines.ImageError
	if errors.As(err, &program) || errors.As(err, &image) {
		return &files.Error{File: f, Err: err}
	}
	return err
}
