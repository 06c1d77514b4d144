//go:build !unix

package regular

const noWait = 0

// NoWait is nothing where no name of a file can be that of a pipe.
const NoWait = noWait
