//go:build unix

package regular

import "syscall"

// noWait has open return at once for a named pipe that nobody writes to.
const noWait = syscall.O_NONBLOCK

// NoWait is that flag, for libraries that open a file themselves.
const NoWait = noWait
