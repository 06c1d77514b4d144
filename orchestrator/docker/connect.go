package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/docker/cli/cli/connhelper"
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

// sshClient reaches the engine through `ssh … docker system dial-stdio`, one
// process a connection. The docker command's own options would do, but for
// three things: they let ssh try to connect for longer than we wait for it, so
// that its words are never heard; they lose its words when it ends before
// anything was written; and they send what goes through ssh to the
// environment's proxy, for the host name that they make up.
func (a address) sshClient(patience time.Duration) (*client.Client, error) {
	connect := max(1, int((patience-time.Second)/time.Second))
	helper, err := connhelper.GetConnectionHelperWithSSHOpts(a.Host, []string{fmt.Sprintf("-o ConnectTimeout=%d", connect)})
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := helper.Dialer(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &sshConn{conn}, nil
	}
	transport := &http.Transport{}
	api, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost(helper.Host), client.WithDialContext(dial),
		client.WithVersionFromEnv(), client.WithAPIVersionNegotiation())
	transport.Proxy = nil
	return api, err
}

// sshConn is a connection through ssh. When ssh is gone, reading tells its last
// words and writing only that a pipe broke: then the words are read.
type sshConn struct{ net.Conn }

func (c *sshConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		if _, words := c.Conn.Read(make([]byte, 1)); words != nil && words != io.EOF {
			err = words
		}
	}
	return n, err
}

// minAPI is the first version of the API with HostConfig.Mounts and NanoCPUs.
const minAPI = "1.25"

// checkEngine refuses an engine that answers but is not one to run machines on.
func checkEngine(a address, api *client.Client, ping types.Ping) error {
	switch {
	case ping.APIVersion == "":
		return fmt.Errorf("%w: what answers at %v tells no version of its API: %s or newer is needed: "+
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
