package files

import (
	"io/fs"
	"syscall"
)

// changed is when anything of a file changed last, its content or what is said
// of it, in Unix nanoseconds. Nobody can set that time.
func changed(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ctim.Nano()
	}
	return 0
}
