package nats

import (
	"embed"
	"fmt"
	"strings"

	"squall/nodeimage/files"
	"squall/workloads/systems/goclient"
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
	version = strings.TrimPrefix(version, "v")
	const module = "github.com/nats-io/nats-server/v2"
	return &files.Build{
		Name: "nats-server " + version, Package: module,
		Requires: []files.Module{{Path: module, Version: "v" + version}},
		Instead:  fmt.Sprintf("give the program with %s=PATH, or an image that has it with %s=NAME", binaryParam, imageParam),
	}
}

// clientBuild is the client program.
func clientBuild() (*files.Build, error) {
	sources, err := goclient.Module(clientFolder, "_client")
	if err != nil {
		return nil, err
	}
	return &files.Build{Name: "the client of NATS (" + clientVersion + ")", Package: ".", Sources: sources,
		Instead: fmt.Sprintf("give a client program that was built before with %s=PATH", clientParam)}, nil
}
