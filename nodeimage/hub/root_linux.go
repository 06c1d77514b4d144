package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"squall/nodeimage/hub/protocol"
)

// devices are what a program may expect in /dev.
func devices() []string { return []string{"null", "zero", "full", "random", "urandom"} }

// readOnly and hidden are the parts of /proc through which a process of uid 0
// could change the host, or see more of it than its own machine.
func readOnly() []string { return []string{"sys", "sysrq-trigger", "irq", "bus", "fs"} }

func hidden() []string {
	return []string{"kcore", "keys", "key-users", "timer_list", "latency_stats", "sched_debug", "kallsyms", "kmsg"}
}

// enterRoot builds the machine's file system and makes it the root: the
// program, the machine's files, the data directory on the host's disk, /proc of its own processes,
// /dev with what is harmless, its own control groups to look at, and temporary
// directories of a bounded size. Nothing else of the host is in it, and nothing
// but the data and the temporary directories can be written to.
func enterRoot(c insideConfig) error {
	folder := protocol.Folder(c.Folder)
	root := folder.Root()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("mounting the machine's root: %w", err)
	}
	for dir, mode := range map[string]os.FileMode{"proc": 0o555, "dev": 0o755, "tmp": 0o755, "etc": 0o755} {
		if err := makeDir(filepath.Join(root, dir), mode); err != nil {
			return err
		}
	}
	if err := bindFile(c.Binary, filepath.Join(root, c.BinaryPath)); err != nil {
		return err
	}
	if err := makeReadOnly(filepath.Join(root, c.BinaryPath)); err != nil {
		return err
	}
	if err := mountFiles(root, folder, c.Machine.Files); err != nil {
		return err
	}
	data := filepath.Join(root, c.DataDir)
	if err := makeDir(data, 0o755); err != nil {
		return err
	}
	if err := mountDisk(folder.Disk(c.Machine.Name), data, c.Machine.ServerUIDs); err != nil {
		return err
	}
	if err := mountDev(filepath.Join(root, "dev"), c.Machine.Disk); err != nil {
		return err
	}
	for _, dir := range []string{"tmp", "dev/shm"} {
		if err := mountTemp(filepath.Join(root, dir), c); err != nil {
			return err
		}
	}
	if err := mountProc(filepath.Join(root, "proc")); err != nil {
		return err
	}
	if err := mountGroups(root, c.Groups); err != nil {
		return err
	}
	if err := makeReadOnly(root); err != nil {
		return err
	}
	return turnRoot(root)
}

// mountFiles mounts what lies at the top of the machine's files into its root.
func mountFiles(root string, folder protocol.Folder, key string) error {
	if key == "" {
		return nil
	}
	entries, err := os.ReadDir(folder.Files(key))
	if err != nil {
		return fmt.Errorf("looking for the machine's files: %w", err)
	}
	for _, entry := range entries {
		from, at := filepath.Join(folder.Files(key), entry.Name()), filepath.Join(root, entry.Name())
		if !entry.IsDir() {
			err = bindFile(from, at)
		} else if err = makeDir(at, 0o755); err == nil {
			err = unix.Mount(from, at, "", unix.MS_BIND, "")
		}
		if err == nil {
			err = remount(at, unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV)
		}
		if err != nil {
			return fmt.Errorf("mounting the machine's files: %w", err)
		}
	}
	return nil
}

// mountDisk gives the machine its disk, and the disk to the first of these users
// that this user namespace has. One that has none of them leaves it process 1's.
func mountDisk(disk, at string, uids []int) error {
	for _, uid := range uids {
		err := os.Chown(disk, uid, uid)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("giving the disk to the server's user: %w", err)
		}
	}
	if err := unix.Mount(disk, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the disk: %w", err)
	}
	return remount(at, unix.MS_NOSUID|unix.MS_NODEV)
}

// mountTemp mounts a directory in memory for everybody.
func mountTemp(at string, c insideConfig) error {
	options := fmt.Sprintf("mode=1777,size=%d,nr_inodes=%d", c.TempSize, c.TempFiles)
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mounting a temporary directory: %w", err)
	}
	return nil
}

// mountGroups shows the machine its own control groups, and no others.
func mountGroups(root string, groups []groupMount) error {
	for _, g := range groups {
		at := filepath.Join(root, g.To)
		if err := makeDir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(g.From, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting the machine's control group: %w", err)
		}
		if err := makeReadOnly(at); err != nil {
			return err
		}
	}
	return nil
}

// makeDir does not leave the mode to the umask.
func makeDir(path string, mode os.FileMode) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("making the machine's file system: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("making the machine's file system: %w", err)
	}
	return nil
}

func bindFile(from, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("making the machine's file system: %w", err)
	}
	f.Close()
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", from, err)
	}
	return nil
}

func makeReadOnly(path string) error { return remount(path, unix.MS_RDONLY) }

// remount adds flags to a mount that is there. In a user namespace its other
// flags must be said again, or the kernel refuses: they are not ours to drop.
func remount(path string, more uintptr) error {
	var at unix.Statfs_t
	if err := unix.Statfs(path, &at); err != nil {
		return fmt.Errorf("changing the mount of %s: %w", path, err)
	}
	const same = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME
	flags := uintptr(at.Flags)&same | unix.MS_REMOUNT | unix.MS_BIND | more
	if err := unix.Mount("", path, "", flags, ""); err != nil {
		return fmt.Errorf("changing the mount of %s: %w", path, err)
	}
	return nil
}

func mountDev(dev string, disk bool) error {
	names := devices()
	if disk {
		names = append(names, "fuse")
	}
	for _, name := range names {
		if err := bindFile(filepath.Join("/dev", name), filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	links := map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return fmt.Errorf("making the machine's file system: %w", err)
		}
	}
	return makeDir(filepath.Join(dev, "shm"), 0o755)
}

func mountProc(proc string) error {
	if err := unix.Mount("proc", proc, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting the machine's /proc: %w", err)
	}
	for _, name := range readOnly() {
		path := filepath.Join(proc, name)
		if _, err := os.Lstat(path); err != nil {
			continue // this kernel does not have it
		}
		if err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("guarding %s: %w", path, err)
		}
		if err := makeReadOnly(path); err != nil {
			return err
		}
	}
	for _, name := range hidden() {
		path := filepath.Join(proc, name)
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		if err := unix.Mount("/dev/null", path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("hiding %s: %w", path, err)
		}
	}
	return nil
}

// turnRoot makes root the root of this process, and lets go of the old one.
func turnRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("entering the machine's root: %w", err)
	}
	// Both stand in the same place for a moment, the old one on top.
	switch err := unix.PivotRoot(".", "."); err {
	case nil:
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return fmt.Errorf("leaving the host's root: %w", err)
		}
	case unix.EPERM, unix.EINVAL:
		// Docker's default filter of system calls knows no right to pivot_root,
		// and an initial ramfs cannot be pivoted away.
		if err := coverRoot(root); err != nil {
			return err
		}
	default:
		return fmt.Errorf("entering the machine's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("entering the machine's root: %w", err)
	}
	return nil
}

// coverRoot moves the new root over the old one and goes there. The old one
// stays mounted below, where a process without capabilities cannot get to.
func coverRoot(root string) error {
	if err := unix.Mount(root, "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("covering the host's root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("entering the machine's root: %w", err)
	}
	return nil
}
