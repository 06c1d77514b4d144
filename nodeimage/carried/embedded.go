//go:build squall_carried

package carried

import (
	"embed"
	"io/fs"
)

// The files are there only in the overlay of a release.
//
//go:embed squall-node-linux-*.zst
var files embed.FS

func embedded() fs.FS { return files }
