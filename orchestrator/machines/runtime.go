// Package machines is what can run the machines of a test, to those who use it: a
// Runtime makes a Cluster of Machines, all of them running squall's agent as process 1.
// orchestrator/docker and orchestrator/local are the two that there are.
package machines

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"regexp"
	"strings"

	"squall/nodeimage/files"
)

// Runtime is a place that can run machines.
type Runtime interface {
	// Name is "docker" or "local".
	Name() string
	// Describe says in one line, for people, what runs the machines and where.
	Describe(ctx context.Context) string
	// Arch is the processor architecture of its machines, by Go's names.
	Arch(ctx context.Context) (string, error)
	// Up makes a network and the machines on it, all of them running squall's
	// agent as process 1. On an error nothing is left behind.
	Up(ctx context.Context, spec ClusterSpec) (Cluster, error)
	// Can says what its machines can be made to suffer, to be asked before a
	// test: for each of CanLimitCPUs, CanLimitMemory, CanRestart and CanDisk "" when it
	// can be done, else why not and the fix, in one line. It tries what it can
	// without making a machine.
	Can(ctx context.Context) map[string]string
}

// SpecChecker is what a Runtime can be beside: it refuses machines that it would
// not make, before any is made. What a limit is to blame for is a *LimitError.
type SpecChecker interface {
	CheckSpecs(ctx context.Context, machines []MachineSpec) error
}

// LimitError is a limit of a machine that cannot be set, and why.
type LimitError struct {
	Limit string // "cpus" or "memory"
	Err   error
}

func (e *LimitError) Error() string { return e.Limit + ": " + e.Err.Error() }

// Unwrap gives the cause alone.
func (e *LimitError) Unwrap() error { return e.Err }

// Pinger is a Runtime whose machines are reached through something that may hang.
type Pinger interface {
	// Ping asks it whether it is there. An error, which names it, says that its
	// machines cannot be reached; what was asked of it before then ends, too. It
	// takes no more than ten seconds.
	Ping(ctx context.Context) error
}

// What a Runtime may be asked for with Can.
const (
	CanLimitCPUs   = "cpu-limit"       // Machine.Limit of processors' time
	CanLimitMemory = "memory-limit"    // Machine.Limit of memory
	CanRestart     = "machine-restart" // Machine.Kill and Machine.Start
	CanDisk        = "disk"            // MachineSpec.Disk
)

// ClusterSpec says what machines are wanted.
type ClusterSpec struct {
	Run      string // the run's name; it goes into names and labels
	Machines []MachineSpec
	Binary   string // path of the static squall-node binary to run in the machines
	// BinaryKey identifies the binary's content, so that an image made from it
	// before is used again.
	BinaryKey string
}

// MachineSpec is one machine that is wanted. A Runtime that cannot set a limit
// refuses it by name; it never leaves one out.
type MachineSpec struct {
	Name   string  // e.g. n1 … n5 and driver
	CPUs   float64 // processors' worth of time that it may use; 0: no limit
	Memory int64   // bytes, none of them swapped out; 0: no limit
	// Disk lays a file system of squall's on its data directory, see Runtime.Can.
	Disk bool
	// DiskJournal bounds the journal that the file system writes in each life, in bytes; 0: it writes none.
	DiskJournal int64
	// Files are what it holds beside squall-node, where a server can read and run
	// them and nobody can write. Machines may share a set. One that was taken for
	// another processor is refused.
	Files *files.Set
}

// ClusterID is an id for a cluster of that run, which no other has: two squalls
// may begin a run of one name in the same second, in two folders.
func ClusterID(run string) string { return run + "." + strings.ToLower(rand.Text()[:8]) }

// Cluster is a set of running machines on a network of their own.
type Cluster interface {
	// Machine is the machine of that name, which must be one of the spec's.
	Machine(name string) Machine
	// Keep ends the machines but leaves their disks, and says where they are
	// found. Down has nothing to do afterwards. Like Down it takes machines as
	// they are, running or ended, and none of them can be started afterwards.
	Keep(ctx context.Context) (where string, err error)
	// Down removes the machines, their disks and the network. It is idempotent.
	Down(ctx context.Context) error
}

// Machine is one machine. It runs from Up on; Kill ends it and Start lets it run
// again, as often as wanted. Its methods may be called from many goroutines: of
// Start, Kill and Limit one waits for the other, as far as its ctx lets it.
type Machine interface {
	Name() string
	Addr() netip.Addr
	// Control is the attached stdin and stdout of process 1: the agent's
	// protocol. It ends when the machine does. After a Start it is a new stream.
	Control() io.ReadWriteCloser
	// Kill ends the machine as a power cut does: no process in it has a last
	// word. It returns when that was done. A machine that has ended already is
	// left alone. What was written to the data directory is there afterwards,
	// synced or not: the disk's cache is the host's, which does not lose power.
	Kill(ctx context.Context) error
	// Start starts a machine that has ended, by Kill or by itself, with the name,
	// the address and the data directory that it had. Processes, memory, packet
	// rules and what else its kernel held are gone. It returns when process 1
	// was started; whether its agent answers is seen at the new Control. A
	// machine that runs is left alone: ErrMachineRuns. When it fails otherwise
	// the machine has ended, and may be started again.
	Start(ctx context.Context) error
	// Limit sets what the machine may use and returns when the kernel holds it
	// to that. Limits are of the machine and not of what runs in it: they
	// outlive Kill and Start, and those of a machine that has ended hold from
	// its next Start on. A limit that cannot be set is refused by name, with the
	// reason and the fix, and nothing is changed. Memory that is less than what
	// the machine uses, and cannot give back at once, is refused with
	// ErrMemoryInUse: what makes a machine run out of memory is what it uses
	// next, see protocol.Client.Hog.
	Limit(ctx context.Context, l Limits) error
	// Death says why the machine ended ("" while it runs), for error messages.
	// After a Start it speaks of the new life.
	Death(ctx context.Context) string
}

// Limits are what a machine may use. The zero value is what its MachineSpec
// says, which may be no limit.
type Limits struct {
	CPUs   float64 // processors' worth of time; 0: as in the MachineSpec
	Memory int64   // bytes, none of them swapped out; 0: as in the MachineSpec
}

// Or is what holds of a machine with that spec: l, and the spec where l has
// nothing to say. 0 then means no limit.
func (l Limits) Or(spec MachineSpec) Limits {
	if l.CPUs == 0 {
		l.CPUs = spec.CPUs
	}
	if l.Memory == 0 {
		l.Memory = spec.Memory
	}
	return l
}

// Validate refuses what no machine can be held to.
func (l Limits) Validate() error {
	switch {
	case l.CPUs < 0 || math.IsNaN(l.CPUs) || math.IsInf(l.CPUs, 0):
		return fmt.Errorf("cpus: %v is not a limit: expected a number above 0, or 0 for the machine's own", l.CPUs)
	case l.Memory < 0:
		return fmt.Errorf("memory: %d bytes are not a limit: expected a number above 0, or 0 for the machine's own", l.Memory)
	}
	return nil
}

var (
	// ErrMachineRuns refuses to start a machine that runs.
	ErrMachineRuns = errors.New("the machine runs already")
	// ErrMemoryInUse refuses a limit of memory below what is in use.
	ErrMemoryInUse = errors.New("more memory is in use")
)

// NetworkPool is what the networks of machines are taken out of: reserved for
// benchmarks (RFC 2544), so that it meets no company's network or VPN.
const NetworkPool = "198.18.0.0/15"

// MaxMachines is how many machines a cluster can have: they fit a network of
// 256 addresses.
const MaxMachines = 240

// firstHost is the last byte of the first machine's address.
const firstHost = 10

// MachineAddr is the address of the i-th machine (from 0) of a cluster whose
// network is this one, of 256 addresses.
func MachineAddr(network netip.Prefix, i int) netip.Addr {
	a := network.Addr().As4()
	a[3] = byte(firstHost + i)
	return netip.AddrFrom4(a)
}

var (
	runID       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)
	machineName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// CheckFiles refuses files that were taken for machines of another processor.
func (s ClusterSpec) CheckFiles(ctx context.Context, r Runtime) error {
	for _, m := range s.Machines {
		if m.Files.Key() == "" {
			continue
		}
		arch, err := r.Arch(ctx)
		if err == nil {
			err = m.Files.For(arch)
		}
		if err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	return nil
}

// Validate refuses what would make names that a kernel or an engine refuses
// later, in worse words.
func (s ClusterSpec) Validate() error {
	if !runID.MatchString(s.Run) {
		return fmt.Errorf("run id %q: expected letters, digits, dots, dashes and underscores, at most 100", s.Run)
	}
	if n := len(s.Machines); n == 0 || n > MaxMachines {
		return fmt.Errorf("%d machines: from 1 to %d are possible", n, MaxMachines)
	}
	seen := make(map[string]bool)
	for _, m := range s.Machines {
		if !machineName.MatchString(m.Name) {
			return fmt.Errorf("machine name %q: expected lower-case letters, digits and dashes, at most 63", m.Name)
		}
		if seen[m.Name] {
			return fmt.Errorf("machine name %q is there twice", m.Name)
		}
		if m.CPUs < 0 || m.Memory < 0 {
			return fmt.Errorf("machine %s: a limit is below zero", m.Name)
		}
		seen[m.Name] = true
	}
	if s.BinaryKey == "" {
		return errors.New("the binary's key is missing")
	}
	return nil
}
