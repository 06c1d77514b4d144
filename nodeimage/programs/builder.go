package programs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"squall/nodeimage/files"
)

// Builder builds programs of modules and keeps them. Several processes may use one
// cache at the same time: of those that want the same program one builds it.
type Builder struct {
	Cache string // a folder; it need not be there yet
}

// keyVersion changes when the way of building does.
const keyVersion = "program build 2"

// key is a hash over everything that a program depends on. Every part goes in with its
// name and its length, so that parts cannot flow into each other.
func key(b *files.Build, arch string) string {
	h := sha256.New()
	add := func(name, text string) { fmt.Fprintf(h, "%s %d\n%s", name, len(text), text) }
	add(keyVersion, "")
	add("arch", arch)
	for _, setting := range Compiler() {
		add(setting.Name, setting.Value)
	}
	add("package", b.Package)
	for _, m := range b.Requires {
		add("requires", m.String())
	}
	for _, name := range slices.Sorted(maps.Keys(b.Sources)) {
		add("source "+name, b.Sources[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:20]
}

func (b Builder) folder() string { return filepath.Join(b.Cache, "programs") }

// home is the folder that a program is kept in.
func (b Builder) home(build *files.Build, arch string) string {
	return filepath.Join(b.folder(), key(build, arch))
}

// Can says why a program that was not built before could not be, without building:
// nil, or ErrNoGo.
func (b Builder) Can(build *files.Build, arch string) error {
	if _, kept := Content(b.home(build, arch)); kept {
		return nil
	}
	if err := CanCompile(); err != nil {
		return &Error{Build: build, Err: err}
	}
	return nil
}

// Make returns the path of a program for machines with this processor (by Go's names).
// Where it was not built before, building is called, and it is. What the program is
// to blame for is an *Error.
func (b Builder) Make(ctx context.Context, build *files.Build, arch string, building func()) (path string, err error) {
	home := b.home(build, arch)
	if path, kept := Content(home); kept {
		return path, nil
	}
	if err := b.Can(build, arch); err != nil {
		return "", err
	}
	building()
	if err := os.MkdirAll(b.folder(), 0o755); err != nil {
		return "", b.failed(err)
	}
	lock := flock.New(home + lockSuffix)
	defer lock.Close()
	switch _, err := lock.TryLockContext(ctx, 100*time.Millisecond); {
	case ctx.Err() != nil:
		return "", fmt.Errorf("building %s: %w", build.Name, context.Cause(ctx))
	case err != nil:
		return "", b.failed(err)
	}
	if path, kept := Content(home); kept { // another squall built it meanwhile
		return path, nil
	}
	var failed error
	path, err = Keep(home, func(path string) error {
		failed = b.build(ctx, build, arch, path)
		return failed
	})
	switch {
	case failed != nil:
		return "", failed
	case err != nil:
		return "", b.failed(err)
	}
	Prune(filepath.Join(b.folder(), "*"), home)
	return path, nil
}

func (b Builder) failed(err error) error {
	return fmt.Errorf("keeping programs in %s: %w: free some space there, or set XDG_CACHE_HOME to a folder that can be written", b.folder(), err)
}

// build builds a program in a module of its own.
func (b Builder) build(ctx context.Context, build *files.Build, arch, path string) error {
	tmp, release, err := Folder(b.Cache)
	if err != nil {
		return b.failed(err)
	}
	defer release()
	module := filepath.Join(tmp, "module")
	if err := lay(build, module); err != nil {
		return b.failed(err)
	}
	// What a generated go.mod leaves open is read off the modules, and written there.
	mod := "-mod=mod"
	if _, whole := build.Sources["go.mod"]; whole {
		mod = "-mod=readonly"
	}
	err = Compilation{Dir: module, Package: build.Package, Arch: arch, Flags: []string{mod, "-trimpath"}, Folder: tmp, To: path}.Compile(ctx)
	var failed *CompileError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("building %s: %w", build.Name, context.Cause(ctx))
	case errors.As(err, &failed):
		return b.explain(ctx, build, module, failed)
	case errors.Is(err, ErrNoGo):
		return &Error{Build: build, Err: err}
	case err != nil:
		return b.failed(err)
	}
	return nil
}

// lay writes the module that a program is built in.
func lay(build *files.Build, dir string) error {
	sources := map[string]string{}
	maps.Copy(sources, build.Sources)
	if _, whole := sources["go.mod"]; !whole {
		// The language's version is raised by the compiler to what a module needs;
		// since 1.17 a module says all that it is made of.
		var mod strings.Builder
		mod.WriteString("module squall.invalid/program\n\ngo 1.17\n\n")
		for _, m := range build.Requires {
			fmt.Fprintf(&mod, "require %s %s\n", m.Path, m.Version)
		}
		sources["go.mod"] = mod.String()
	}
	for name, text := range sources {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Clear removes every program but those that a test that is starting may need, and
// says how many.
func (b Builder) Clear() (int, error) { return Clear(b.folder()) }
