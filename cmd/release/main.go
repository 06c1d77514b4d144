// Command release writes what is given away of one version of squall: programs
// that carry their nodes and so need neither Go nor sources, images of them,
// and what they are made of. The same sources and the same Go make the same
// bytes, wherever they lie.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"squall"
	"squall/nodeimage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "release: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(errOut)
	dir := flags.String("out", "dist", "folder to write to")
	list := flags.String("targets", joinTargets(allTargets()), "platforms to build squall for, as GOOS/GOARCH with commas between")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: only --out and --targets are taken", flags.Arg(0))
	}
	targets, err := parseTargets(*list)
	if err != nil {
		return fmt.Errorf("--targets: %w", err)
	}
	root, err := nodeimage.FindRoot()
	if err != nil {
		return err
	}
	r := release{root: root, out: *dir, version: squall.Version, targets: targets, carries: nodeTargets(), log: out}
	return r.write(ctx)
}

// target is a platform by Go's names.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

// dashed is the target as a part of a file's name.
func (t target) dashed() string { return t.os + "-" + t.arch }

// allTargets are those that squall is released for.
func allTargets() []target {
	return []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}}
}

// nodeTargets are the machines that each squall carries a node for.
func nodeTargets() []target { return []target{{"linux", "amd64"}, {"linux", "arm64"}} }

func joinTargets(targets []target) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.String())
	}
	return strings.Join(names, ",")
}

func parseTargets(list string) ([]target, error) {
	known := make(map[string]target)
	for _, t := range allTargets() {
		known[t.String()] = t
	}
	var targets []target
	for _, name := range strings.Split(list, ",") {
		t, ok := known[strings.TrimSpace(name)]
		if !ok {
			return nil, fmt.Errorf("squall is not released for %q; choose from %s", name, joinTargets(allTargets()))
		}
		targets = append(targets, t)
	}
	return targets, nil
}
