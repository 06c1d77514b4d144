package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// traceFD is where the agent takes a server's trace from.
const traceFD = 3

// runIdle is a server for trying a machine out. It prints its capabilities and
// then its stdin, line by line, until that ends. With -trace it first writes
// that many MiB of trace.
func runIdle(args []string) error {
	flags := flag.NewFlagSet("idle", flag.ContinueOnError)
	traceMiB := flags.Int("trace", 0, "MiB to write to the trace first")
	if err := flags.Parse(args); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "Cap") || strings.HasPrefix(line, "NoNewPrivs") {
			fmt.Print(line)
		}
	}
	if *traceMiB > 0 {
		if err := writeTrace(*traceMiB); err != nil {
			return err
		}
	}
	fmt.Println("idle")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(lines.Text())
	}
	return lines.Err()
}

func writeTrace(mib int) error {
	trace := os.NewFile(traceFD, "trace")
	if trace == nil {
		return errors.New("there is no trace to write to")
	}
	defer trace.Close()
	piece := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20/16)
	for range mib {
		if _, err := io.Copy(trace, bytes.NewReader(piece)); err != nil {
			return fmt.Errorf("writing the trace: %w", err)
		}
	}
	return nil
}
