package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// writeImage packs squall alone into an image, as a file for `docker load`, and
// returns the file's name.
func (r *release) writeImage(p program) (string, error) {
	begin := time.Now()
	file := "squall-image-" + p.target.dashed() + ".tar"
	path := filepath.Join(r.out, file)
	if err := packImage(p, "squall:"+r.version, path); err != nil {
		return "", fmt.Errorf("packing the image for %s: %w", p.target, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("packing the image for %s: %w", p.target, err)
	}
	r.say("image for %s", info.Size(), begin, p.target)
	return file, nil
}

func packImage(p program, tagName, path string) error {
	tag, err := name.NewTag(tagName)
	if err != nil {
		return err
	}
	files, err := imageFiles(p.path)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithCompressedCaching, tarball.WithCompressionLevel(gzip.DefaultCompression))
	if err != nil {
		return err
	}
	image, err := mutate.ConfigFile(empty.Image, imageConfig(p.target))
	if err != nil {
		return err
	}
	if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
		Created: created(), CreatedBy: "squall release", Comment: tagName,
	}}); err != nil {
		return err
	}
	return tarball.WriteToFile(path, tag, image)
}

// created is when an image is made: never, so that it is always the same.
func created() v1.Time { return v1.Time{Time: time.Unix(0, 0).UTC()} }

func imageConfig(t target) *v1.ConfigFile {
	return &v1.ConfigFile{
		OS: t.os, Architecture: t.arch, Created: created(),
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: []string{"/squall"},
			WorkingDir: "/", // so that the folder of runs is /runs
			Env:        []string{"XDG_CACHE_HOME=/cache"},
		},
	}
}

// imageFiles is the file system of the image: squall, and directories that any
// user can write to.
func imageFiles(squall string) ([]byte, error) {
	program, err := os.ReadFile(squall)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for _, dir := range []string{"cache/", "runs/", "tmp/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o1777, ModTime: time.Unix(0, 0)}); err != nil {
			return nil, err
		}
	}
	header := tar.Header{Typeflag: tar.TypeReg, Name: "squall", Mode: 0o755, Size: int64(len(program)), ModTime: time.Unix(0, 0)}
	if err := w.WriteHeader(&header); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return files.Bytes(), nil
}
