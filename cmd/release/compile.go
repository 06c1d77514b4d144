package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// compileFlags keep out of a program what differs from one place to the next:
// paths, the state of the repository, ids of builds; and what only debuggers
// read.
func compileFlags() []string {
	return []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}
}

// compileEnv is the environment of a compiler for a target: a static program,
// for every processor of its kind, whatever this user has set.
func compileEnv(environ []string, t target) []string {
	return append(environ, "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOWORK=off", "GOFLAGS=-mod=readonly", "GOEXPERIMENT=")
}

// compile builds a program of the module at root.
func compile(ctx context.Context, root string, p program, flags ...string) error {
	args := append([]string{"build"}, compileFlags()...)
	args = append(append(args, flags...), "-o", p.path, "./cmd/"+p.name)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = compileEnv(cmd.Environ(), p.target)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("building %s for %s: %w", p.name, p.target, ctx.Err())
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("building %s for %s: %w: install Go (https://go.dev/dl) and see that go is in PATH", p.name, p.target, err)
	}
	return fmt.Errorf("building %s for %s: %w:\n%s\nfix the sources in %s and try again with: GOOS=%s GOARCH=%s go build ./cmd/%s",
		p.name, p.target, err, strings.TrimRight(output.String(), "\n"), root, p.target.os, p.target.arch, p.name)
}
