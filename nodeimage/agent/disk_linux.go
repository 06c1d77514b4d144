package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/disk"
	"squall/nodeimage/agent/protocol"
)

// diskArg is the first argument of squall-node that makes it the file system.
const diskArg = "disk"

// errNoDisk answers requests to a file system that was not asked for.
var errNoDisk = errors.New("squall's file system does not lie on the data directory of this machine")

// ServeDisk is the file system, in the process that mountDisk starts (disk.Serve).
func ServeDisk(args []string, in io.Reader, out io.Writer) error { return disk.Serve(args, in, out) }

// dataDisk is the file system of ours on the data directory: its process, and how to talk to it.
type dataDisk struct {
	data string
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended

	mu     sync.Mutex // one call at a time
	in     io.WriteCloser
	out    *bufio.Scanner
	last   uint64
	frozen bool // a cut was made: servers wait for ever
}

// mountDisk lays the file system on the data directory. Then the agent gives the right to mount up.
func (a *agent) mountDisk(o DiskOptions) (*dataDisk, error) {
	data := a.opts.Server.DataDir
	if data == "" {
		return nil, errors.New("mounting squall's file system: the machine has no data directory")
	}
	if err := asUser(a.hold.uid, func() error { return disk.Prepare(data) }); err != nil {
		return nil, err
	}
	device, folder, err := disk.Mount(data)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, diskFix(err))
	}
	defer device.Close()
	defer folder.Close()
	if err := giveUp(unix.CAP_SYS_ADMIN); err != nil {
		return nil, err
	}
	d := &dataDisk{data: data, gone: make(chan struct{})}
	if err := d.start(a, o, device, folder); err != nil {
		return nil, fmt.Errorf("starting squall's file system: %w", err)
	}
	return d, nil
}

// diskFix says what a machine lacks that cannot mount.
func diskFix(err error) string {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "the machine has no " + disk.Device + ": load the kernel's module fuse, and give containers the device"
	case errors.Is(err, unix.ENODEV):
		return "the kernel has no FUSE: load its module fuse"
	default:
		return "give the machine the capability SYS_ADMIN and the device " + disk.Device + ", and let AppArmor and SELinux allow mount"
	}
}

// start runs the file system, in a process of the agent's user without capabilities.
func (d *dataDisk) start(a *agent, o DiskOptions, device, folder *os.File) error {
	var argv []string
	argv = append(argv, a.opts.Wrap...)
	argv = append(argv, "-keep", strconv.Itoa(disk.DeviceFD)+","+strconv.Itoa(disk.FolderFD), "--", "/proc/self/exe", diskArg)
	argv = append(argv, disk.Args("/proc/self/fd/"+strconv.Itoa(disk.FolderFD), a.hold.owner(), o.Journal)...)
	d.cmd = exec.Command(argv[0], argv[1:]...)
	d.cmd.Env = []string{}
	d.cmd.ExtraFiles = []*os.File{disk.DeviceFD - 3: device, disk.FolderFD - 3: folder}
	d.cmd.Stderr = a.opts.Log
	in, err := d.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	d.in, d.out = in, bufio.NewScanner(out)
	d.out.Buffer(nil, 1<<20)
	if err := a.server.startHelper(d.cmd); err != nil {
		return err
	}
	first, err := d.answer()
	if err != nil || first.Error != "" {
		d.in.Close()
		_ = d.cmd.Process.Kill()
		_ = a.server.waitHelper(d.cmd)
		return errors.Join(err, wrong(first))
	}
	return nil
}

// follow waits until the process ends. Unless the agent is leaving, that is the agent's end, too: servers get
// errors for everything, by no fault of the test's.
func (d *dataDisk) follow(a *agent) {
	_ = a.server.waitHelper(d.cmd)
	close(d.gone)
	a.stop(fmt.Errorf("squall's file system has ended: %s", d.cmd.ProcessState))
}

// owner is the user whose everything in the data directory is.
func (is isolation) owner() int {
	if is.uid != 0 {
		return is.uid
	}
	return os.Getuid()
}

// close ends the file system; nil has none.
func (d *dataDisk) close() {
	if d == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	<-d.gone
}

// release ends the file system if servers wait for it in vain: they could not be ended.
func (d *dataDisk) release() {
	if d == nil {
		return
	}
	d.mu.Lock()
	frozen := d.frozen
	d.mu.Unlock()
	if frozen {
		d.close()
	}
}

func wrong(a disk.Answer) error {
	if a.Error == "" {
		return nil
	}
	return errors.New(a.Error)
}

func (d *dataDisk) answer() (a disk.Answer, err error) {
	if !d.out.Scan() {
		return a, fmt.Errorf("it ended, or says nothing that can be read: %w", errors.Join(d.out.Err(), io.ErrUnexpectedEOF))
	}
	return a, json.Unmarshal(d.out.Bytes(), &a)
}

// call asks the file system for something.
func (d *dataDisk) call(c disk.Call) (disk.Answer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	c.ID = d.last
	if c.Cut != nil {
		d.frozen = true
	}
	if err := json.NewEncoder(d.in).Encode(c); err != nil {
		return disk.Answer{}, fmt.Errorf("asking squall's file system: %w", err)
	}
	a, err := d.answer()
	if err == nil && a.ID != c.ID {
		err = fmt.Errorf("it answers %d to %d", a.ID, c.ID)
	}
	if err == nil {
		err = wrong(a)
	}
	if err != nil {
		return a, fmt.Errorf("asking squall's file system: %w", err)
	}
	return a, nil
}

func (d *dataDisk) perform(ctx context.Context, req protocol.Request) (any, error) {
	if d == nil {
		return nil, errNoDisk
	}
	switch req.Method {
	case protocol.MethodDiskRules:
		p, err := params[protocol.DiskRules](req)
		if err == nil {
			_, err = d.call(disk.Call{Rules: &p})
		}
		return nil, err
	case protocol.MethodDiskCut:
		p, err := params[protocol.DiskCut](req)
		if err != nil {
			return nil, err
		}
		a, err := d.call(disk.Call{Cut: &p})
		return a.Lost, err
	case protocol.MethodDiskDamage:
		p, err := params[protocol.DiskDamage](req)
		if err != nil {
			return nil, err
		}
		a, err := d.call(disk.Call{Damage: &p})
		return a.Damaged, err
	case protocol.MethodDiskJournal:
		p, err := params[protocol.DiskJournal](req)
		if err != nil {
			return nil, err
		}
		a, err := d.call(disk.Call{Journal: &p})
		return a.Journal, err
	case protocol.MethodDiskSettle:
		_, err := d.call(disk.Call{Settle: true})
		return nil, err
	case protocol.MethodDiskProbe:
		return d.probe(ctx)
	default:
		a, err := d.call(disk.Call{})
		return a.Status, err
	}
}

// probePatience is how long a probe may take. One that takes longer goes on, and is told of by nobody.
const probePatience = 20 * time.Second

// probe writes, syncs and reads a file that only the agent has.
func (d *dataDisk) probe(ctx context.Context) (protocol.DiskProbe, error) {
	done := make(chan protocol.DiskProbe, 1)
	failed := make(chan error, 1)
	go func() {
		p, err := probeFile(filepath.Join(d.data, disk.ProbeName))
		if err != nil {
			failed <- err
			return
		}
		done <- p
	}()
	timer := time.NewTimer(probePatience)
	defer timer.Stop()
	select {
	case p := <-done:
		return p, nil
	case err := <-failed:
		return protocol.DiskProbe{}, fmt.Errorf("probing squall's file system: %w", err)
	case <-timer.C:
		return protocol.DiskProbe{}, fmt.Errorf("probing squall's file system: it takes more than %v", probePatience)
	case <-ctx.Done():
		return protocol.DiskProbe{}, ctx.Err()
	}
}

func probeFile(path string) (p protocol.DiskProbe, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return p, err
	}
	defer f.Close()
	timed := func(took *time.Duration, why *string, do func() error) {
		begin := time.Now()
		err := do()
		*took = time.Since(begin)
		if err != nil {
			*why = reason(err)
		}
	}
	block := make([]byte, 512)
	timed(&p.Write, &p.WriteErr, func() error { _, err := f.WriteAt(block, 0); return err })
	timed(&p.Sync, &p.SyncErr, f.Sync)
	timed(&p.Read, &p.ReadErr, func() error {
		_, err := f.ReadAt(block, 0)
		if errors.Is(err, io.EOF) { // it could not be written
			return nil
		}
		return err
	})
	return p, nil
}

// reason is the kernel's word for an error.
func reason(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}
