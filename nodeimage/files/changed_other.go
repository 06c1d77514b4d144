//go:build !linux

package files

import "io/fs"

// changed is not asked for here: the time of the content must do.
func changed(fs.FileInfo) int64 { return 0 }
