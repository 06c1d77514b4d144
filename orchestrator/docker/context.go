package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	dcontext "github.com/docker/cli/cli/context"
	dockercontext "github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/docker/docker/client"
)

// contextAddress reads the docker command's context of that name, with its TLS
// material.
func contextAddress(name string) (address, error) {
	contexts := store.New(filepath.Join(configDir(), "contexts"), store.NewConfig(nil,
		store.EndpointTypeGetter(dockercontext.DockerEndpoint, func() any { return new(dockercontext.EndpointMeta) })))
	failed := func(err error) (address, error) {
		return address{}, fmt.Errorf("reading docker's context %q: %w (choose another with docker context use, or set %s)",
			name, err, client.EnvOverrideHost)
	}
	meta, err := contexts.GetMetadata(name)
	if errdefs.IsNotFound(err) {
		return failed(fmt.Errorf("there is no context of that name; there are: %s", strings.Join(contextNames(contexts), ", ")))
	} else if err != nil {
		return failed(err)
	}
	endpoint, err := dockercontext.EndpointFromContext(meta)
	if err != nil {
		return failed(err)
	}
	from := "from docker's context " + name
	if endpoint.Host == "" {
		return addressOf(client.DefaultDockerHost, from)
	}
	if endpoint.Host, err = checkHost(endpoint.Host, from); err != nil {
		return address{}, err
	}
	a := address{from: from}
	if a.Endpoint, err = dockercontext.WithTLSData(contexts, name, endpoint); err != nil {
		return failed(err)
	}
	return a, nil
}

// contextNames are the contexts that there are. One that cannot be read does
// not hide the others for long: it is named when it is chosen.
func contextNames(contexts store.Lister) []string {
	names, err := store.Names(contexts)
	if err != nil {
		return []string{defaultContext}
	}
	return append([]string{defaultContext}, names...)
}

// tlsFromEnv is the TLS material that the environment asks to use, as the
// docker command understands it: DOCKER_TLS_VERIFY turns TLS on, and
// DOCKER_CERT_PATH alone does not.
func tlsFromEnv() (data *dcontext.TLSData, skipVerify bool, err error) {
	verify := os.Getenv(client.EnvTLSVerify) != ""
	if !verify && os.Getenv(envTLS) == "" {
		return nil, false, nil
	}
	dir := os.Getenv(client.EnvOverrideCertPath)
	if dir == "" {
		dir = configDir()
	}
	there := func(name string) string {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return ""
		}
		return path
	}
	ca := filepath.Join(dir, "ca.pem")
	if !verify {
		ca = there("ca.pem")
	}
	data, err = dcontext.TLSDataFromFiles(ca, there("cert.pem"), there("key.pem"))
	if err != nil {
		return nil, false, fmt.Errorf("reading the TLS material that %s asks for: %w (set %s to the folder with ca.pem, cert.pem and key.pem)",
			client.EnvTLSVerify, err, client.EnvOverrideCertPath)
	}
	return data, !verify, nil
}
