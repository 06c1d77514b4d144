// Command squall storm-tests Raft clusters: it launches one in containers,
// injects faults, records what clients saw, and says pass or violation.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"squall"
	"squall/internal/plain"
	"squall/nodeimage"
)

const version = squall.Version

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(context.Background(), os.Args, signals, os.Stdout, os.Stderr))
}

// app is what every command shares.
type app struct {
	program     string // how squall was called, for commands that it prints
	out, errOut io.Writer
	ctrlC
	// build makes the node's binary: buildNode, but for tests.
	build func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error)
	// open opens a runtime by name: openRuntime, but for tests.
	open func(ctx context.Context, name string, log *slog.Logger) (opened, error)
	// leaderTimeout is that of orchestrator.Config: 0, but for tests.
	leaderTimeout time.Duration
}

// run is the whole program but for the process around it; it returns the exit
// code.
func run(ctx context.Context, args []string, signals <-chan os.Signal, out, errOut io.Writer) int {
	a := &app{program: programName(args[0]), out: out, errOut: errOut, ctrlC: ctrlC{signals: signals}, build: buildNode, open: openRuntime}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args[1:])
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	err := a.attend(ctx, root.ExecuteContext)
	if err != nil && err.Error() != "" {
		plain.Fprintf(a.errOut, "%s %s\n", plain.In("squall:", plain.Red), plain.Lines(err.Error(), "        "))
	}
	return exitCode(err)
}

func (a *app) root() *cobra.Command {
	a.out, a.errOut = safe(a.out), safe(a.errOut)
	root := &cobra.Command{
		Use:           "squall",
		Short:         "Chaos-test Raft clusters, and tell whether they kept their guarantees",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError(unknownCommand(cmd, args[0], a.program))
			}
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(flagError(cmd, err, strings.Replace(cmd.CommandPath(), "squall", a.program, 1)))
	})
	root.PersistentFlags().Var(newColorFlag(a.out, a.errOut), "color", "colours: auto (on a terminal, unless NO_COLOR is set), always or never")
	setHelp(root)
	root.AddCommand(a.runCommand(), a.campaignCommand(), a.initCommand(), a.newCommand(), a.checkCommand(), a.reportCommand(), a.compareCommand(), a.exportCommand(), a.zipCommand(), a.traceCommand(),
		a.electionsCommand(), a.replayCommand(), a.shrinkCommand(), a.crashCommand(), a.selftestCommand(), a.listCommand(), a.benchCommand(), a.serveCommand(), a.doctorCommand(), a.cleanCommand(), a.schemaCommand(), a.manCommand(), a.versionCommand())
	return root
}

// safe is a writer that lets through only what does no harm.
func safe(out io.Writer) io.Writer {
	if w, ok := out.(*plain.Writer); ok {
		return w
	}
	return plain.NewWriter(out)
}

// programName is what a user types to call squall.
func programName(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		return "go run ./cmd/squall"
	}
	return strings.TrimSuffix(filepath.Base(arg0), ".exe")
}

// noArgs and oneArg say what was wrong in squall's own words and code.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(fmt.Errorf("unexpected argument %q", args[0]))
	}
	return nil
}

func oneArg(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError(fmt.Errorf("unexpected argument %q: at most one is taken", args[1]))
	}
	return nil
}
