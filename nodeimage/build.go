package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"squall/nodeimage/carried"
	"squall/nodeimage/mutants"
	"squall/nodeimage/programs"
)

// nodePackage is the program to build, from the module's root.
const nodePackage = "./cmd/squall-node"

// BuildOptions says what to build. The zero value is the correct node for this
// computer's processor.
type BuildOptions struct {
	Root     string // of the sources to build from; "" is the carried node, or else FindRoot
	Arch     string // GOARCH of the machines; "" is that of this program
	Mutant   string // name of a mutant to build instead of the correct node
	CacheDir string // "" is squall's directory among the user's caches
}

// Binary is a static squall-node for Linux.
type Binary struct {
	Path string
	// Key stands for everything that the binary depends on: two builds of the
	// same Key are the same program. It is short enough for a tag.
	Key string
}

// Build returns a squall-node: the one that this squall carries, where it
// carries any and neither sources nor a mutant are asked for, and otherwise one
// built from sources. If there was the same before, it is taken from the cache
// and nothing is run. Several may build at once.
func Build(ctx context.Context, opts BuildOptions) (Binary, error) {
	return buildOr(ctx, opts, carried.Embedded())
}

// buildOr is Build for a squall that carries those nodes.
func buildOr(ctx context.Context, opts BuildOptions, nodes carried.Nodes) (Binary, error) {
	carries := len(nodes.Platforms()) > 0 && opts.Root == ""
	if carries && opts.Mutant == "" {
		return unpack(opts, nodes)
	}
	bin, err := compiled(ctx, opts)
	if err != nil && carries {
		return Binary{}, mutantError(opts.Mutant, err)
	}
	return bin, err
}

// ErrMutantNeedsSources says that this squall carries the correct node, and has
// nothing to build one with a planted bug from.
var ErrMutantNeedsSources = errors.New("needs Go and a checkout of squall's repository, because it is built into the node; " +
	"without --mutant this squall needs neither")

// mutantError is an error of a build that only a planted bug asks for.
func mutantError(mutant string, err error) error {
	if errors.Is(err, errNoSources) || errors.Is(err, programs.ErrNoGo) {
		return fmt.Errorf("planting the bug %s %w: %w", mutant, ErrMutantNeedsSources, err)
	}
	return err
}

// CanBuild says why Build would fail for want of a node that this squall carries,
// of sources or of Go, without building; nil otherwise.
func CanBuild(opts BuildOptions) error { return canBuild(opts, carried.Embedded()) }

func canBuild(opts BuildOptions, nodes carried.Nodes) error {
	carries := len(nodes.Platforms()) > 0 && opts.Root == ""
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	if carries && opts.Mutant == "" {
		return carriedFor(opts.Arch, nodes)
	}
	if opts.Mutant != "" {
		if _, err := mutants.Find(opts.Mutant); err != nil {
			return err
		}
	}
	if opts.Root == "" {
		_, err = FindRoot()
	}
	if err == nil {
		if err = programs.CanCompile(); err != nil {
			err = noGo(err)
		}
	}
	if carries {
		return mutantError(opts.Mutant, err)
	}
	return err
}

// carriedFor says when there is no carried node for an architecture.
func carriedFor(arch string, nodes carried.Nodes) error {
	if _, err := nodes.Find(arch); errors.Is(err, fs.ErrNotExist) {
		return notCarried(arch, nodes)
	}
	return nil
}

// noGo says what to do where there is no Go.
func noGo(err error) error {
	return fmt.Errorf("building squall-node: %w: squall builds its nodes with Go; "+
		"install Go (https://go.dev/dl) and see that go is in PATH", err)
}

// compiled is a node built from sources, now or before.
func compiled(ctx context.Context, opts BuildOptions) (Binary, error) {
	var mutant *mutants.Mutant
	if opts.Mutant != "" {
		m, err := mutants.Find(opts.Mutant)
		if err != nil {
			return Binary{}, err
		}
		mutant = &m
	}
	opts, err := opts.withSources()
	if err != nil {
		return Binary{}, err
	}
	key, err := buildKey(opts, mutant)
	if err != nil {
		return Binary{}, fmt.Errorf("looking at the node's sources: %w", err)
	}
	bin := Binary{Path: filepath.Join(opts.CacheDir, "squall-node-"+key), Key: key}
	if programs.Kept(bin.Path, 0) {
		return bin, nil
	}
	if err := os.MkdirAll(opts.CacheDir, 0o755); err != nil {
		return Binary{}, cacheError(opts.CacheDir, err)
	}
	if err := compile(ctx, opts, mutant, bin.Path); err != nil {
		return Binary{}, err
	}
	programs.Prune(kept(opts.CacheDir), bin.Path)
	return bin, nil
}

func (o BuildOptions) withDefaults() (BuildOptions, error) {
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	if o.CacheDir == "" {
		var err error
		if o.CacheDir, err = CacheDir(); err != nil {
			return o, err
		}
	}
	return o, nil
}

// withSources are the options with all that a build from sources needs.
func (o BuildOptions) withSources() (BuildOptions, error) {
	var err error
	if o.Root == "" {
		if o.Root, err = FindRoot(); err != nil {
			return o, err
		}
	}
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return o, err
	}
	return o.withDefaults()
}

// compile builds the node to path.
func compile(ctx context.Context, opts BuildOptions, mutant *mutants.Mutant, path string) error {
	tmp, release, err := programs.Folder(opts.CacheDir)
	if err != nil {
		return cacheError(opts.CacheDir, err)
	}
	defer release()
	// No -trimpath: it would have every package compiled once more that the
	// build of squall itself has left in Go's cache.
	c := programs.Compilation{Dir: opts.Root, Package: nodePackage, Arch: opts.Arch, Folder: tmp, To: path}
	if mutant != nil {
		overlay, err := mutant.Overlay(opts.Root, tmp)
		if err != nil {
			return err
		}
		c.Flags = []string{"-overlay", overlay}
	}
	if err := c.Compile(ctx); err != nil {
		return buildError(ctx, opts, path, err)
	}
	return nil
}

func buildError(ctx context.Context, opts BuildOptions, path string, err error) error {
	var failed *programs.CompileError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("building squall-node: %w", ctx.Err())
	case errors.Is(err, programs.ErrNoGo):
		return noGo(err)
	case !errors.As(err, &failed):
		return cacheError(path, err)
	}
	command := fmt.Sprintf("CGO_ENABLED=0 GOOS=linux GOARCH=%s go build %s", opts.Arch, nodePackage)
	what := "squall-node"
	if opts.Mutant != "" {
		what = "squall-node with the mutant " + opts.Mutant
		command = "go test ./nodeimage"
	}
	return fmt.Errorf("building %s: %w\nfix the sources in %s and try again with: %s", what, err, opts.Root, command)
}

// kept are the nodes in a cache, as a pattern of paths.
func kept(cache string) string { return filepath.Join(cache, "squall-node-*") }

// StaleBuilds are the folders in squall's cache of builds that were killed.
func StaleBuilds() ([]string, error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	return programs.Stale(cache)
}

// CleanBuilds removes what builds left that were killed, and says how many.
func CleanBuilds() (int, error) {
	cache, err := CacheDir()
	if err != nil {
		return 0, err
	}
	return programs.Clean(cache)
}
