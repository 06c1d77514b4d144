//go:build !unix

package nodeimage

import "io/fs"

// ownedAlone: temporary directories are a user's own here.
func ownedAlone(fs.FileInfo) bool { return true }
