package nodeimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"squall/nodeimage/mutants"
)

// nodePackage is the program to build, from the module's root.
const nodePackage = "./cmd/squall-node"

// BuildOptions says what to build. The zero value is the correct node for this
// computer's processor.
type BuildOptions struct {
	Root     string // of the module; "" is FindRoot
	Arch     string // GOARCH of the machines; "" is that of this program
	Mutant   string // name of a mutant to build instead of the correct node
	CacheDir string // "" is squall's directory in os.UserCacheDir
}

// Binary is a static squall-node for Linux.
type Binary struct {
	Path string
	// Key stands for everything that the binary depends on: two builds of the
	// same Key are the same program. It is short enough for a tag.
	Key string
}

// Build returns a squall-node. If one was built from the same sources before,
// it is taken from the cache and nothing is run. Several may build at once.
func Build(ctx context.Context, opts BuildOptions) (Binary, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return Binary{}, err
	}
	var mutant *mutants.Mutant
	if opts.Mutant != "" {
		m, err := mutants.Find(opts.Mutant)
		if err != nil {
			return Binary{}, err
		}
		mutant = &m
	}
	key, err := buildKey(opts, mutant)
	if err != nil {
		return Binary{}, fmt.Errorf("looking at the node's sources: %w", err)
	}
	bin := Binary{Path: filepath.Join(opts.CacheDir, "squall-node-"+key), Key: key}
	if _, err := os.Stat(bin.Path); err == nil {
		now := time.Now()
		os.Chtimes(bin.Path, now, now) // so that prune sees that it is in use
		return bin, nil
	}
	if err := os.MkdirAll(opts.CacheDir, 0o755); err != nil {
		return Binary{}, fmt.Errorf("making the cache for built nodes: %w", err)
	}
	if err := compile(ctx, opts, mutant, bin.Path); err != nil {
		return Binary{}, err
	}
	prune(opts.CacheDir, bin.Path)
	return bin, nil
}

func (o BuildOptions) withDefaults() (BuildOptions, error) {
	var err error
	if o.Root == "" {
		if o.Root, err = FindRoot(); err != nil {
			return o, err
		}
	}
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return o, err
	}
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	if o.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("finding a place for built nodes: %w (set XDG_CACHE_HOME)", err)
		}
		o.CacheDir = filepath.Join(dir, "squall")
	}
	return o, nil
}

// compile builds into a directory of its own first: whoever finds a binary at
// path finds a whole one.
func compile(ctx context.Context, opts BuildOptions, mutant *mutants.Mutant, path string) error {
	tmp, err := os.MkdirTemp(opts.CacheDir, "build-*")
	if err != nil {
		return fmt.Errorf("making room to build in: %w", err)
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "squall-node")
	// No -trimpath: it would have every package compiled once more that the
	// build of squall itself has left in Go's cache.
	args := []string{"build", "-buildvcs=false", "-ldflags=-s -w", "-o", out}
	if mutant != nil {
		overlay, err := mutant.Overlay(opts.Root, tmp)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, nodePackage)...)
	cmd.Dir = opts.Root
	// Without cgo the program is static and runs in an empty file system.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+opts.Arch, "GOWORK=off")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return buildError(ctx, opts, err, output.String())
	}
	if err := os.Rename(out, path); err != nil {
		return fmt.Errorf("keeping the built node: %w", err)
	}
	return nil
}

func buildError(ctx context.Context, opts BuildOptions, err error, output string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("building squall-node: %w", ctx.Err())
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("building squall-node: %w: squall builds its nodes with Go; "+
			"install Go (https://go.dev/dl) and see that go is in PATH", err)
	}
	command := fmt.Sprintf("CGO_ENABLED=0 GOOS=linux GOARCH=%s go build %s", opts.Arch, nodePackage)
	what := "squall-node"
	if opts.Mutant != "" {
		what = "squall-node with the mutant " + opts.Mutant
		command = "go test ./nodeimage"
	}
	return fmt.Errorf("building %s: %w:\n%s\nmend the sources in %s and try with: %s",
		what, err, strings.TrimRight(output, "\n"), opts.Root, command)
}

// What prune leaves in the cache in any case.
const (
	keepNewest  = 24
	keepYounger = 24 * time.Hour
)

// prune removes built nodes that were not used lately, except for the one just
// built. A cache that cannot be pruned only is too big.
func prune(dir, keep string) {
	paths, err := filepath.Glob(filepath.Join(dir, "squall-node-*"))
	if err != nil || len(paths) <= keepNewest {
		return
	}
	for _, p := range oldestFirst(paths)[:len(paths)-keepNewest] {
		info, err := os.Stat(p)
		if err == nil && p != keep && time.Since(info.ModTime()) > keepYounger {
			os.Remove(p)
		}
	}
}
