package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/docker/cli/cli/connhelper/ssh"
	dockercontext "github.com/docker/cli/cli/context/docker"
	"github.com/docker/docker/client"
)

// What the docker command heeds and its client library has no name for.
const (
	envContext = "DOCKER_CONTEXT"
	envConfig  = "DOCKER_CONFIG"
	envTLS     = "DOCKER_TLS" // TLS without verifying whom one speaks to

	defaultContext = "default" // the name of: no context
)

// address is where an engine is, what it takes to speak to it, and who said so.
type address struct {
	dockercontext.Endpoint
	from string
}

// String is the address and where it came from, for people.
func (a address) String() string { return fmt.Sprintf("%s (%s)", a.Host, a.from) }

func (a address) isSSH() bool { return strings.HasPrefix(a.Host, "ssh://") }

// Named reports whether this computer names a Docker engine: by DOCKER_HOST, by
// a context of the docker command, or by a socket where engines have theirs.
// Where none is named, that none answers is no surprise.
func Named() bool {
	if os.Getenv(client.EnvOverrideHost) != "" {
		return true
	}
	if name, err := currentContext(); err != nil || name != "" {
		return true
	}
	_, socket, _ := strings.Cut(client.DefaultDockerHost, "://")
	_, err := os.Stat(socket)
	return !errors.Is(err, fs.ErrNotExist)
}

// engineAddress finds the engine that the docker command would use.
func engineAddress(given string) (address, error) {
	if given != "" {
		return addressOf(given, "as given")
	}
	if host := os.Getenv(client.EnvOverrideHost); host != "" {
		return addressOf(host, "from "+client.EnvOverrideHost)
	}
	name, err := currentContext()
	if err != nil {
		return address{}, err
	}
	if name != "" {
		return contextAddress(name)
	}
	return addressOf(client.DefaultDockerHost, "the default")
}

// addressOf is the engine at host, with the environment's TLS material if it
// is reached by tcp.
func addressOf(host, from string) (address, error) {
	host, err := checkHost(host, from)
	if err != nil {
		return address{}, err
	}
	a := address{from: from}
	a.Host = host
	if strings.HasPrefix(host, "tcp://") {
		a.TLSData, a.SkipTLSVerify, err = tlsFromEnv()
	}
	return a, err
}

// checkHost refuses what is no address, before a library does so in worse
// words. Like the docker command, it takes host:port for tcp.
func checkHost(host, from string) (string, error) {
	if _, port, err := net.SplitHostPort(host); err == nil && isPort(port) && !strings.Contains(host, "/") {
		host = "tcp://" + host
	}
	scheme, rest, _ := strings.Cut(host, "://")
	expected := "unix:///path, tcp://host:port or ssh://user@host"
	if runtime.GOOS == "windows" {
		expected += " or npipe:////./pipe/name"
	}
	why := ""
	switch scheme {
	case "unix":
		if rest != "" {
			return host, nil
		}
	case "npipe":
		if rest != "" && runtime.GOOS == "windows" {
			return host, nil
		}
	case "tcp":
		if u, err := url.Parse(host); err == nil && isPort(u.Port()) {
			return host, nil
		}
	case "ssh":
		_, err := ssh.ParseURL(host)
		if err == nil {
			return host, nil
		}
		why = err.Error() + ", "
	}
	return "", fmt.Errorf("%q (%s) is not an engine's address: %s%s is expected", host, from, why, expected)
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && 0 < n && n < 1<<16
}

// currentContext is the name of the context that the docker command uses, ""
// if it uses none.
func currentContext() (string, error) {
	name := os.Getenv(envContext)
	if name == "" {
		var err error
		if name, err = configuredContext(); err != nil {
			return "", err
		}
	}
	if name == defaultContext {
		return "", nil
	}
	return name, nil
}

func configuredContext() (string, error) {
	dir := configDir()
	if dir == "" {
		return "", nil
	}
	file := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("reading docker's configuration: %w", err)
	}
	var config struct{ CurrentContext string }
	if err := json.Unmarshal(data, &config); err != nil {
		return "", fmt.Errorf("reading docker's configuration: %s: %w (fix the file, or set %s)", file, err, client.EnvOverrideHost)
	}
	return config.CurrentContext, nil
}

// configDir is the docker command's folder, "" for a user without a home.
func configDir() string {
	if dir := os.Getenv(envConfig); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".docker")
}
