package disk

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Device is what a FUSE file system is served through.
const Device = "/dev/fuse"

// Folder is the directory of the file system's own in the data directory below it.
const Folder = ".squall-disk"

// Prepare makes the folder in a data directory. Whoever may write to the directory must call it; the folder can be
// used by a process of any user, and no server sees it.
func Prepare(data string) error {
	folder := path.Join(data, Folder)
	if err := os.Mkdir(folder, 0o777); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the folder of the file system: %w", err)
	}
	return os.Chmod(folder, 0o777) // whatever the umask is
}

// Mount mounts a file system on a data directory that is prepared. It returns /dev/fuse, for Serve to answer
// through, and the folder below the mount. It needs CAP_SYS_ADMIN, and Device.
func Mount(data string) (device, folder *os.File, err error) {
	folder, err = os.Open(path.Join(data, Folder))
	if err != nil {
		return nil, nil, fmt.Errorf("opening the folder of the file system: %w", err)
	}
	device, err = mount(data)
	if err != nil {
		folder.Close()
		return nil, nil, err
	}
	return device, folder, nil
}

func mount(at string) (*os.File, error) {
	fd, err := unix.Open(Device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", Device, err)
	}
	// Who may do what, the kernel decides by owner and mode.
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d,default_permissions,allow_other,max_read=%d", fd, os.Geteuid(), os.Getegid(), maxWrite)
	if err := unix.Mount("squall", at, "fuse.squall", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("mounting a file system on %s: %w", at, err)
	}
	return os.NewFile(uintptr(fd), Device), nil
}
