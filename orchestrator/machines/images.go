package machines

import (
	"context"
	"io"
)

// Images takes files out of images of containers. A Runtime may be one.
type Images interface {
	// FindImage returns the id of an image, which stands for its content. An image
	// that is not there is pulled; pulling is called before. One that is for another
	// processor than arch (by Go's names) is an *ImageError, as are others that
	// cannot be had.
	FindImage(ctx context.Context, reference, arch string, pulling func()) (id string, err error)
	// CopyFromImage writes the file at path of the image with that id. No program of
	// the image is run. A file that is not there is an *ImageError.
	CopyFromImage(ctx context.Context, id, path string, to io.Writer) error
}

// ImageError says why a file of an image cannot be had, and what to do.
type ImageError struct{ Err error }

func (e *ImageError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *ImageError) Unwrap() error { return e.Err }
