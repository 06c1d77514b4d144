package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"squall/nodeimage/agent"
)

func runAgent(args []string) error {
	opts, err := agent.ParseOptions(args)
	if err != nil {
		return err
	}
	opts.In, opts.Out, opts.Log = os.Stdin, os.Stdout, os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// A broken stdout is an error to be handled, not a reason to die of.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return agent.Run(ctx, opts)
}

func runExec(args []string) error { return agent.Exec(args) }

// runDisk is the file system of squall's, commanded by the agent over stdin and stdout.
func runDisk(args []string) error { return agent.ServeDisk(args, os.Stdin, os.Stdout) }

func runSqueeze(args []string) error { return agent.Squeeze(args, os.Stdin, os.Stdout) }
