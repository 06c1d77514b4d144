package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"squall/workloads/driver"
)

// historyFD is where the driver writes the history; the agent takes it for a
// trace.
const historyFD = 3

// runDriver runs the clients of a test: commanded over stdin, events on
// stdout, the history on file descriptor 3. SIGTERM ends it as "quit" does.
func runDriver(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q; the configuration is the first line of stdin", args[0])
	}
	out := os.NewFile(historyFD, "history")
	if out == nil {
		return errors.New("there is no file descriptor to write the history to")
	}
	if _, err := out.Stat(); err != nil {
		return fmt.Errorf("file descriptor %d, which takes the history, is not open: %w", historyFD, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// A broken stream is an error to be told, not a reason to die of.
	signal.Ignore(syscall.SIGPIPE)
	err := driver.Run(ctx, driver.Streams{Commands: os.Stdin, Status: os.Stdout, History: out}, driver.Catalogue{})
	return errors.Join(err, out.Close())
}
