// Package local runs machines without Docker: as processes in Linux
// namespaces, held by a hub (see nodeimage/hub), with root or without. Nothing
// is added to the host's network, and the kernel takes everything away with
// the hub, which ends when squall does.
//
// The machines' disks are in a folder of the run's own, below the user's cache
// directory: <cache>/squall/local/<run>.<id>.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"squall/nodeimage"
	"squall/nodeimage/hub/protocol"
	"squall/orchestrator/machines"
)

// ErrCannot says that machines cannot be made here without Docker.
var ErrCannot = errors.New("machines without Docker cannot be made here")

// Options of a Runtime. The zero value is right for most.
type Options struct {
	// Folder holds a folder for each run; "" is squall/local in the user's
	// cache directory. It should be on a real disk.
	Folder string
	// Unprivileged makes machines as an unprivileged user has to, in a user
	// namespace, also where that is not needed.
	Unprivileged bool
	Logger       *slog.Logger // nil logs nothing
}

// Runtime makes machines out of namespaces.
type Runtime struct {
	folder       string
	unprivileged bool
	log          *slog.Logger
}

var (
	_ machines.Runtime = (*Runtime)(nil)
	_ machines.Cluster = (*cluster)(nil)
	_ machines.Machine = (*machine)(nil)
)

// New tries whether this kernel lets this user make namespaces. If not, the
// error wraps ErrCannot and says what is missing and how to fix it.
func New(opts Options) (*Runtime, error) {
	folder, err := opts.folder()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannot, err)
	}
	r := &Runtime{folder: folder, unprivileged: opts.Unprivileged || !mayByItself(), log: opts.Logger}
	if err := tryNamespaces(r.unprivileged); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// folder is where the runs' folders are.
func (o Options) folder() (string, error) {
	if o.Folder != "" {
		return o.Folder, nil
	}
	cache, err := nodeimage.CacheDir()
	return filepath.Join(cache, "local"), err
}

// Name is "local".
func (r *Runtime) Name() string { return "local" }

// Arch is the architecture of this computer.
func (r *Runtime) Arch(context.Context) (string, error) { return runtime.GOARCH, nil }

// Describe says how machines are made, and where their disks are.
func (r *Runtime) Describe(context.Context) string {
	return describe(r.unprivileged) + "; disks in " + r.folder
}

// Can tries to make control groups, which limits need.
func (r *Runtime) Can(context.Context) map[string]string {
	can := map[string]string{machines.CanRestart: "", machines.CanDisk: noFuse()}
	keys := map[string]string{"cpus": machines.CanLimitCPUs, "memory": machines.CanLimitMemory}
	var controllers []string
	for _, s := range protocol.Settings() {
		controllers = append(controllers, s.Controller)
	}
	places := protocol.FindPlaces(controllers...)
	for _, s := range protocol.Settings() {
		can[keys[s.Name]] = ""
		if err := places.Lacks[s.Controller]; err != nil {
			can[keys[s.Name]] = s.Refusal(err).Error()
		}
	}
	return can
}

// noFuse is why machines here can have no file system of squall's.
func noFuse() string {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	switch {
	case err == nil:
		_ = f.Close()
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "disk: there is no /dev/fuse: load the kernel's module fuse (modprobe fuse); within a container, give it the device (--device /dev/fuse)"
	case errors.Is(err, fs.ErrPermission):
		return "disk: /dev/fuse may not be opened: let everybody read and write it, as distributions do (chmod 666 /dev/fuse), or run squall as root"
	default:
		return fmt.Sprintf("disk: %v: load the kernel's module fuse (modprobe fuse)", err)
	}
}

var _ machines.SpecChecker = (*Runtime)(nil)

// CheckSpecs refuses processors that this computer has not: a limit above them
// would be none.
func (r *Runtime) CheckSpecs(_ context.Context, specs []machines.MachineSpec) error {
	for _, m := range specs {
		if n := runtime.NumCPU(); m.CPUs > float64(n) {
			return &machines.LimitError{Limit: "cpus", Err: fmt.Errorf(
				"%v of %s is too much: this computer has %d: use that or less, or leave the limit out", m.CPUs, m.Name, n)}
		}
	}
	return nil
}

// Report says how much was removed.
type Report struct {
	Runs  int `json:"runs"`  // whose disks and control groups were removed
	InUse int `json:"inUse"` // runs that are under way; they were left alone
}

// Clean removes the disks that were kept, and what hubs left that were killed:
// of one run, or with "" of all. A run that is under way is left alone.
func Clean(opts Options, run string) (Report, error) {
	var report Report
	all, err := opts.folder()
	if err != nil {
		return report, err
	}
	entries, err := os.ReadDir(all)
	if errors.Is(err, fs.ErrNotExist) {
		return report, nil
	}
	if err != nil {
		return report, fmt.Errorf("looking for what local runs left: %w", err)
	}
	for _, entry := range entries {
		if run != "" && !strings.HasPrefix(entry.Name(), run+".") { // see machines.ClusterID
			continue
		}
		folder := protocol.Folder(filepath.Join(all, entry.Name()))
		if folder.InUse() {
			report.InUse++
			continue
		}
		if err := folder.Remove(); err != nil {
			return report, fmt.Errorf("cleaning up what local run %s left: %w", entry.Name(), err)
		}
		report.Runs++
	}
	return report, nil
}

// Leftovers is how many runs have left disks or control groups that nobody has
// use for any more: they were killed, or kept.
func Leftovers(opts Options) (int, error) {
	all, err := opts.folder()
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir(all)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	n := 0
	for _, entry := range entries {
		if !protocol.Folder(filepath.Join(all, entry.Name())).InUse() {
			n++
		}
	}
	return n, err
}
