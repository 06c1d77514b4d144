package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"squall/orchestrator/testplan"
	"squall/reports/serve"
)

// The address that `squall serve` takes when none is given, and how many ports
// from there it tries.
const (
	serveHost  = "127.0.0.1"
	servePort  = 8080
	servePorts = 20
)

type serveFlags struct {
	out         string
	addr        string
	allowRemote bool
}

func (a *app) serveCommand() *cobra.Command {
	var flags serveFlags
	defaultAddr := net.JoinHostPort(serveHost, strconv.Itoa(servePort))
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Show all runs and campaigns in a browser, live",
		Long: `Show all runs and campaigns in a browser: their reports and files, a zip of
each, and a live page of a run in progress. It listens on this machine only,
never writes, and ends with Ctrl-C.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(cmd.Context(), flags, cmd.Flags().Changed("addr"), cmd.Flags().Changed("out"))
		},
	}
	cmd.Flags().StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	cmd.Flags().StringVar(&flags.addr, "addr", defaultAddr, "address and port to listen on; without it the next free port is taken")
	cmd.Flags().BoolVar(&flags.allowRemote, "allow-remote", false, "let --addr be reached from other machines, without a password")
	return cmd
}

func (a *app) serve(ctx context.Context, flags serveFlags, addrGiven, outGiven bool) error {
	host, _, err := net.SplitHostPort(flags.addr)
	if err != nil {
		return usageError(fmt.Errorf("--addr %s: expected an address and a port, such as %s:%d", flags.addr, serveHost, servePort))
	}
	if host == "" || !serve.Loopback(host) {
		if !flags.allowRemote {
			return usageError(fmt.Errorf("--addr %s: other machines could reach it, and whoever does reads every run, without a password: "+
				"name an address of this machine alone (%s), or add --allow-remote", flags.addr, serveHost))
		}
		if host == "" { // all addresses
			host = "0.0.0.0"
		}
	}
	if !outGiven { // it will be there with the first run
		if err := os.MkdirAll(flags.out, 0o755); err != nil {
			return fmt.Errorf("make the folder of runs: %w", err)
		}
	}
	server, err := serve.New(serve.Config{Out: flags.out, Host: host})
	if errors.Is(err, fs.ErrNotExist) {
		return usageError(fmt.Errorf("there is no folder %s: name that of the runs with --out, or make one with `squall run --out %s`", flags.out, testplan.Quote(flags.out)))
	}
	if err != nil {
		return err
	}
	defer server.Close()
	listener, err := listen(ctx, flags.addr, addrGiven)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Runs in %s: http://%s/ (Ctrl-C ends it)\n", flags.out, listener.Addr())
	return server.Serve(ctx, listener)
}

// listen takes the address that was given, or the first of some ports that is
// free.
func listen(ctx context.Context, addr string, given bool) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err == nil {
		return listener, nil
	}
	if given {
		return nil, fmt.Errorf("listen on --addr %s: %w (without --addr a free port is taken)", addr, err)
	}
	for port := servePort + 1; port < servePort+servePorts; port++ {
		if listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(serveHost, strconv.Itoa(port))); err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("no port from %d to %d is free: name one with --addr: %w", servePort, servePort+servePorts-1, err)
}
