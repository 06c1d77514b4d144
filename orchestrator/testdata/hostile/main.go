// Command hostile stands for squall-node in tests: its machines and agents are
// the real ones, and its server tries everything that a server may not do. It
// prints a line for each, "NAME: refused: WHY" or "NAME: DONE".
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"squall/nodeimage/agent"
	"squall/nodeimage/hub"
)

func main() {
	var err error
	switch args := os.Args[2:]; os.Args[1] {
	case "agent":
		err = runAgent(args)
	case "hub":
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGINT)
		err = hub.Run(os.Stdin, os.Stdout)
	case "machine":
		err = hub.Inside(args)
	case "exec":
		err = agent.Exec(args)
	case "squeeze":
		err = agent.Squeeze(args, os.Stdin, os.Stdout)
	case "attack":
		attack()
	case "fill":
		fill(args)
	case "fork":
		fork()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runAgent is as that of squall-node.
func runAgent(args []string) error {
	opts, err := agent.ParseOptions(args)
	if err != nil {
		return err
	}
	opts.In, opts.Out, opts.Log = os.Stdin, os.Stdout, os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return agent.Run(ctx, opts)
}
