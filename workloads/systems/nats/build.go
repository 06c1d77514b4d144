package nats

import (
	"embed"

	"squall/nodeimage/files"
	"squall/workloads/systems/origin"
)

// clientFolder has the sources of the client program. They are text to squall: what they
// import is in no program of squall's own. Their go.mod and go.sum have other names,
// because files of another module are not embedded.
//
//go:embed _client
var clientFolder embed.FS

// clientVersion is that of NATS's client library in the client's go.mod. It speaks to all
// servers.
const clientVersion = "1.47.0"

// serverBuild is nats-server of a version.
func serverBuild(version string) *files.Build {
	const module = "github.com/nats-io/nats-server/v2"
	return &files.Build{
		Name: "nats-server " + version, Package: module,
		Requires: []files.Module{{Path: module, Version: "v" + version}},
	}
}

// clientBuild is the client program.
func clientBuild() (*files.Build, error) {
	return origin.ClientBuild("the client of NATS ("+clientVersion+")", clientFolder)
}
