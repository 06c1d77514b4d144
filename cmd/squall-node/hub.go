package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"squall/nodeimage/hub"
)

// runHub holds the machines of a cluster without Docker, commanded over stdin
// and stdout. Only the end of its stdin, or a command, ends it.
func runHub(args []string) error {
	if len(args) > 0 {
		return errors.New("no argument is wanted; what to make is the first line of stdin")
	}
	// Taken and not looked at. To ignore them would be inherited by every server.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return hub.Run(os.Stdin, os.Stdout)
}

func runMachine(args []string) error { return hub.Inside(args) }
