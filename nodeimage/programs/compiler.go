package programs

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
)

// Setting is something of the compiler that a program depends on.
type Setting struct{ Name, Value string }

// Compiler is the Go that Compile runs, as far as a program depends on it: its version
// and what the environment tells it. Nothing is run for it: that alone would take longer
// than to find out that a program was built before.
func Compiler() []Setting {
	all := []Setting{{"go", version()}}
	for _, name := range []string{"GOFLAGS", "GOEXPERIMENT", "GOAMD64", "GOARM64", "GOTOOLCHAIN"} {
		all = append(all, Setting{name, os.Getenv(name)})
	}
	return all
}

// version is that of the go command.
func version() string {
	path, err := exec.LookPath("go")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err == nil {
		var data []byte
		if data, err = os.ReadFile(filepath.Join(filepath.Dir(path), "..", "VERSION")); err == nil {
			version, _, _ := strings.Cut(string(data), "\n")
			return version
		}
	}
	return runtime.Version()
}

// CanCompile says why Compile would fail for want of Go: the error is ErrNoGo.
func CanCompile() error {
	if _, err := exec.LookPath("go"); err != nil {
		return ErrNoGo
	}
	return nil
}

// ErrNoGo says that there is no Go here.
var ErrNoGo = errors.New("there is no Go on this computer (no go in PATH)")

// Compilation is a program to be compiled.
type Compilation struct {
	Dir     string   // of the module: Package is seen from it
	Package string   // such as ./cmd/server
	Arch    string   // GOARCH of the machines
	Flags   []string // of go build, beside those that every program is built with
	Folder  string   // see Folder
	To      string   // where the program is to be, in the file system of Folder
}

// CompileError is a compiler that failed.
type CompileError struct {
	Err    error
	Output string // all that it printed
}

func (e *CompileError) Error() string { return e.Err.Error() + ":\n" + e.Output }

// Unwrap returns the cause.
func (e *CompileError) Unwrap() error { return e.Err }

// Compile makes a static program for Linux, without symbols. It is built in a folder
// of its own first: whoever finds a program at To finds a whole one. What the compiler
// fails with is a *CompileError, ErrNoGo or the end of ctx; anything else is of the
// disk.
func (c Compilation) Compile(ctx context.Context) error {
	out := filepath.Join(c.Folder, "program")
	args := append([]string{"build", "-buildvcs=false", "-ldflags=-s -w", "-o", out}, c.Flags...)
	// Without cgo the program is static and runs in an empty file system.
	output, err := goCommand(ctx, c.Dir, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + c.Arch}, append(args, c.Package)...)
	if err != nil {
		return compileError(ctx, err, output)
	}
	// A server has a user of its own, who has to be able to run it whatever the umask is.
	if err := os.Chmod(out, 0o755); err != nil {
		return err
	}
	return os.Rename(out, c.To)
}

func compileError(ctx context.Context, err error, output string) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return ErrNoGo
	}
	return &CompileError{Err: err, Output: strings.TrimRight(output, "\n")}
}

// goCommand runs go in a module's folder and returns what it printed. Workspaces do
// not count: what a program is made of is said by its module alone.
func goCommand(ctx context.Context, dir string, env []string, args ...string) (output string, err error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(append(cmd.Environ(), "GOWORK=off"), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("go %s: %w", args[0], err)
	}
	return out.String(), err
}
