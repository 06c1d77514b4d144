package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// What a helper is to do: the first argument of Squeeze.
const (
	spinArg = "spin"
	hogArg  = "hog"
)

// past is a deadline that is over.
var past = time.Unix(1, 0)

// Squeeze is the agent's helper, a process that uses up what the machine has:
//
//	spin DURATION THREADS   keeps threads busy, prints how many ns of processor time they got
//	hog                     reads how many bytes to hold from in, line by line, and prints
//	                        what it holds; ends with in, and with it goes the memory
func Squeeze(args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) == 3 && args[0] == spinArg:
		long, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		threads, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		cpu, err := spin(long, threads)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, cpu.Nanoseconds())
		return err
	case len(args) == 1 && args[0] == hogArg:
		return holdMemory(in, out)
	default:
		return errors.New("only the agent knows what to ask for")
	}
}

// spin keeps threads busy and returns how much processor time they got.
func spin(long time.Duration, threads int) (time.Duration, error) {
	runtime.GOMAXPROCS(threads + 1) // else a limit of the machine would decide how many run
	had := make([]time.Duration, threads)
	errs := make([]error, threads)
	deadline := time.Now().Add(long)
	var all sync.WaitGroup
	for i := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			begin, err := threadTime()
			for time.Now().Before(deadline) {
			}
			end, endErr := threadTime()
			had[i], errs[i] = end-begin, errors.Join(err, endErr)
		})
	}
	all.Wait()
	var sum time.Duration
	for _, d := range had {
		sum += d
	}
	return sum, errors.Join(errs...)
}

// threadTime is how long this thread has had a processor.
func threadTime() (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano()), err
}

// holdMemory grows as it is told. What it held once it holds on to.
func holdMemory(in io.Reader, out io.Writer) error {
	held := int64(0)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		want, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			return err
		}
		if want > held {
			if err := takePages(want - held); err != nil {
				return fmt.Errorf("taking %d bytes: %w", want-held, err)
			}
			held = want
		}
		if _, err := fmt.Fprintln(out, held); err != nil {
			return err
		}
	}
	return nil
}

// takePages takes memory from the kernel, past Go's heap, and writes to every
// page of it: before that it is a promise only.
func takePages(bytes int64) error {
	pages, err := unix.Mmap(-1, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	_ = unix.Madvise(pages, unix.MADV_NOHUGEPAGE) // or a page more would be two MiB more
	for i := 0; i < len(pages); i += unix.Getpagesize() {
		pages[i] = 1
	}
	return nil
}
