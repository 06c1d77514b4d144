package docker

import (
	"fmt"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

// client makes the client of the engine's API. It does not connect yet.
func (a address) client(patience time.Duration) (*client.Client, error) {
	if a.isSSH() {
		return a.sshClient(patience)
	}
	opts, err := a.ClientOpts()
	if err != nil {
		return nil, err
	}
	return client.NewClientWithOpts(opts...)
}

// minAPI is the first version of the API with HostConfig.Mounts.
const minAPI = "1.25"

// checkEngine refuses an engine that answers but is not one to run machines on.
func checkEngine(a address, api *client.Client, ping types.Ping) error {
	switch {
	case ping.APIVersion == "":
		return fmt.Errorf("%w: what answers at %v reports no version of its API: %s or newer is needed: "+
			"update Docker, if this is Docker", ErrTooOld, a, minAPI)
	case versions.LessThan(ping.APIVersion, minAPI):
		return fmt.Errorf("%w: the one at %v speaks version %s of its API, %s (Docker 1.13) or newer is needed: update Docker",
			ErrTooOld, a, ping.APIVersion, minAPI)
	case versions.LessThan(api.ClientVersion(), minAPI):
		return fmt.Errorf("%w: %s asks for version %s of its API, %s or newer is needed: unset it",
			ErrTooOld, client.EnvOverrideAPIVersion, api.ClientVersion(), minAPI)
	case ping.OSType != "" && ping.OSType != "linux":
		return notLinux(a, ping.OSType)
	}
	return nil
}

func notLinux(a address, os string) error {
	return fmt.Errorf("the engine at %v runs %s containers, Linux ones are needed: switch Docker to them", a, os)
}
