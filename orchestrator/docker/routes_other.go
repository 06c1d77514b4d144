//go:build !linux

package docker

// hostRoutes says nothing: elsewhere than on Linux the engine and its networks are
// in a virtual machine, which has routes of its own.
func hostRoutes() ([]hostRoute, error) { return nil, nil }
