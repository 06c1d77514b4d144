package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// fuseDevice is what squall's file system is served through.
const fuseDevice = "/dev/fuse"

// hasFuse looks for the device on this computer. Where it cannot be looked for, it is taken to be there.
func hasFuse() bool {
	_, err := os.Stat(fuseDevice)
	return !errors.Is(err, fs.ErrNotExist)
}

// noFuse says why no file system of squall's can be laid on machines; "": it can. Of an engine elsewhere, or in a virtual machine as on
// systems other than Linux, that is seen when a container gets the device.
func (r *Runtime) noFuse() string {
	if runtime.GOOS != "linux" || !r.addr.isHere() || r.fuse() {
		return ""
	}
	return "disk: " + fuseMissing
}

const fuseMissing = "the engine's computer has no " + fuseDevice + ": load the kernel's module fuse there (modprobe fuse)"

// explainFuse finds in the engine's words that a container could not get the device.
func explainFuse(err error) error {
	if err != nil && strings.Contains(err.Error(), fuseDevice) {
		return fmt.Errorf("disk: %s: %w", fuseMissing, err)
	}
	return err
}
