package etcd

import (
	"embed"

	"squall/nodeimage/files"
	"squall/workloads/systems/origin"
)

// The sources of the two programs. They are text to squall: what they import is in no
// program of squall's own. The client's go.mod and go.sum have other names, because
// files of another module are not embedded.
var (
	//go:embed _server/main.go
	serverMain string
	//go:embed _client
	clientFolder embed.FS
)

// clientVersion is that of etcd's client in the client's go.mod. It speaks to all servers.
const clientVersion = "3.7.3"

// serverBuild is etcd of a version, by a main of two lines: etcd's own is in a module
// that cannot be required, since it replaces others.
func serverBuild(version string) *files.Build {
	return &files.Build{
		Name: "etcd " + version, Package: ".", Sources: map[string]string{"main.go": serverMain},
		Requires: []files.Module{{Path: "go.etcd.io/etcd/server/v3", Version: "v" + version}},
	}
}

// clientBuild is the client program.
func clientBuild() (*files.Build, error) {
	return origin.ClientBuild("the client of etcd ("+clientVersion+")", clientFolder)
}
