package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"squall/nodeimage/agent"
)

func runAgent(args []string) error {
	opts := agent.Options{In: os.Stdin, Out: os.Stdout, Log: os.Stderr}
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.Func("server-uids", "users of the servers, by number: the first that there is", func(list string) (err error) {
		opts.Server.UIDs, err = agent.ParseUIDs(list)
		return err
	})
	flags.IntVar(&opts.Server.Processes, "server-processes", 0, "how many processes and threads the servers' user may have")
	flags.StringVar(&opts.Server.DataDir, "data", "", "directory that becomes the servers'")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// A broken stdout is an error to be handled, not a reason to die of.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return agent.Run(ctx, opts)
}

func runExec(args []string) error { return agent.Exec(args) }

func runSqueeze(args []string) error { return agent.Squeeze(args, os.Stdin, os.Stdout) }
