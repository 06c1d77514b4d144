package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// traceFD is where the agent takes a server's trace from.
const traceFD = 3

// runIdle is a server for trying a machine out. It prints its capabilities,
// does what its flags say, in the order of the flags here, and then prints its
// stdin, line by line, until that ends.
func runIdle(args []string) error {
	flags := flag.NewFlagSet("idle", flag.ContinueOnError)
	look := flags.String("ls", "", "`directories` to list, with commas between them")
	open := flags.String("open", "", "`file` to try to open for writing")
	more := flags.String("append", "", "`file` to append an x to; prints what it holds then")
	burn := flags.Duration("burn", 0, "how long to keep one processor busy; prints what share of it was had")
	hog := flags.Int("hog", 0, "`MiB` of memory to use")
	traceMiB := flags.Int("trace", 0, "`MiB` to write to the trace first")
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
	if *look != "" {
		if err := list(strings.Split(*look, ",")); err != nil {
			return err
		}
	}
	if *open != "" {
		f, err := os.OpenFile(*open, os.O_WRONLY, 0)
		fmt.Printf("open: %v\n", err)
		f.Close()
	}
	if *more != "" {
		if err := appendX(*more); err != nil {
			return err
		}
	}
	if *burn > 0 {
		fmt.Printf("share %.3f\n", busy(*burn))
	}
	used := use(*hog)
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
	runtime.KeepAlive(used)
	return lines.Err()
}

func list(dirs []string) error {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		fmt.Printf("%s:", dir)
		for _, e := range entries {
			fmt.Print(" ", e.Name())
		}
		fmt.Println()
	}
	return nil
}

// appendX makes a file a byte longer, and prints it. It is not synced.
func appendX(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("x"); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	fmt.Printf("%s: %s\n", file, text)
	return err
}

// busy computes for so long and returns which share of the time this process
// had a processor.
func busy(long time.Duration) float64 {
	begin, had := time.Now(), processorTime()
	for time.Since(begin) < long {
	}
	return float64(processorTime()-had) / float64(time.Since(begin))
}

// use takes memory and writes to every page of it.
func use(mib int) []byte {
	memory := make([]byte, mib<<20)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return memory
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
