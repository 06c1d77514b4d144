//go:build !squall_carried

package carried

import "io/fs"

// embedded is nothing: this squall builds its nodes from sources.
func embedded() fs.FS { return nil }
