package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"squall/nodeimage/carried"
)

const (
	sumsFile = "SHA256SUMS"
	bomFile  = "squall.cdx.json"
)

// release is one making of all files.
type release struct {
	root    string // of the module
	out     string
	version string
	targets []target // that squall is built for
	carries []target // that squall carries a node for
	log     io.Writer
}

// program is one that was built.
type program struct {
	name   string // squall or squall-node
	target target
	path   string
}

// write makes everything. The sums come last: where they are, the rest is
// whole.
func (r *release) write(ctx context.Context) error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return fmt.Errorf("making the folder of the release (--out): %w", err)
	}
	if err := os.Remove(filepath.Join(r.out, sumsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the sums of an older release: %w", err)
	}
	temp, err := os.MkdirTemp("", "squall-release-")
	if err != nil {
		return fmt.Errorf("making room to build in: %w", err)
	}
	defer os.RemoveAll(temp)
	nodes, err := r.buildNodes(ctx, temp)
	if err != nil {
		return err
	}
	squalls, err := r.buildSqualls(ctx, temp, nodes)
	if err != nil {
		return err
	}
	var files []string
	for _, p := range squalls {
		files = append(files, filepath.Base(p.path))
		if p.target.os == "linux" {
			image, err := r.writeImage(p)
			if err != nil {
				return err
			}
			files = append(files, image)
		}
	}
	if err := r.writeBOM(squalls, nodes); err != nil {
		return err
	}
	return r.writeSums(append(files, bomFile))
}

func (r *release) buildNodes(ctx context.Context, temp string) ([]program, error) {
	var nodes []program
	for _, t := range r.carries {
		p := program{name: "squall-node", target: t, path: filepath.Join(temp, "squall-node-"+t.dashed())}
		if err := r.build(ctx, p); err != nil {
			return nil, err
		}
		nodes = append(nodes, p)
	}
	return nodes, nil
}

func (r *release) buildSqualls(ctx context.Context, temp string, nodes []program) ([]program, error) {
	paths := make(map[string]string)
	for _, n := range nodes {
		paths[n.target.arch] = n.path
	}
	overlay, err := carried.Overlay(r.root, temp, paths)
	if err != nil {
		return nil, err
	}
	out, err := filepath.Abs(r.out) // the compiler works in the module's root
	if err != nil {
		return nil, err
	}
	var squalls []program
	for _, t := range r.targets {
		p := program{name: "squall", target: t, path: filepath.Join(out, "squall-"+t.dashed())}
		if t.os == "windows" {
			p.path += ".exe"
		}
		if err := r.build(ctx, p, "-tags", carried.Tag, "-overlay", overlay); err != nil {
			return nil, err
		}
		squalls = append(squalls, p)
	}
	return squalls, nil
}

// build compiles one program, and says how long it took.
func (r *release) build(ctx context.Context, p program, flags ...string) error {
	begin := time.Now()
	if err := compile(ctx, r.root, p, flags...); err != nil {
		return err
	}
	info, err := os.Stat(p.path)
	if err != nil {
		return fmt.Errorf("building %s for %s: %w", p.name, p.target, err)
	}
	r.say("%s for %s", info.Size(), begin, p.name, p.target)
	return nil
}

// say prints a line of progress: what there is now, its size, how long it took.
func (r *release) say(format string, size int64, begin time.Time, args ...any) {
	fmt.Fprintf(r.log, "%-32s %6.1f MB  %6.1f s\n", fmt.Sprintf(format, args...), float64(size)/1e6, time.Since(begin).Seconds())
}

// writeSums writes the file that `sha256sum --check` takes.
func (r *release) writeSums(files []string) error {
	slices.Sort(files)
	var text strings.Builder
	for _, name := range files {
		sum, err := sha256Of(filepath.Join(r.out, name))
		if err != nil {
			return fmt.Errorf("summing up the release: %w", err)
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, name)
	}
	if err := os.WriteFile(filepath.Join(r.out, sumsFile), []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("writing the sums: %w", err)
	}
	fmt.Fprintf(r.log, "%d files and their %s in %s\n", len(files), sumsFile, r.out)
	return nil
}

func sha256Of(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
