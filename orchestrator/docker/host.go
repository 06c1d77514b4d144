package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"
)

// engineHost finds the address of the engine that the docker command would
// use, and says where it is from.
func engineHost(given string) (host, from string, err error) {
	if given != "" {
		return checked(given, "as given")
	}
	if host := os.Getenv(client.EnvOverrideHost); host != "" {
		return checked(host, "from "+client.EnvOverrideHost)
	}
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return client.DefaultDockerHost, "the default", nil
		}
		dir = filepath.Join(home, ".docker")
	}
	name, host, err := contextHost(dir, os.Getenv("DOCKER_CONTEXT"))
	if err != nil {
		return "", "", err
	}
	if host == "" {
		return client.DefaultDockerHost, "the default", nil
	}
	return checked(host, "from docker's context "+name)
}

// checked refuses what this package cannot speak to.
func checked(host, from string) (string, string, error) {
	if strings.HasPrefix(host, "ssh://") {
		return "", "", fmt.Errorf("%s (%s) is reached by ssh, which squall cannot: forward its socket "+
			"(ssh -NL /tmp/docker.sock:/var/run/docker.sock …) and set DOCKER_HOST=unix:///tmp/docker.sock", host, from)
	}
	return host, from, nil
}

// contextHost reads the address in a context of the docker command, whose
// files are in dir: the named one, or else the current one. Without a context,
// or with the default one, the address is empty.
func contextHost(dir, name string) (string, string, error) {
	if name == "" {
		data, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if errors.Is(err, fs.ErrNotExist) {
			return "", "", nil
		} else if err != nil {
			return "", "", fmt.Errorf("reading docker's configuration: %w", err)
		}
		var config struct{ CurrentContext string }
		if err := json.Unmarshal(data, &config); err != nil {
			return "", "", fmt.Errorf("reading docker's configuration: %s: %w", filepath.Join(dir, "config.json"), err)
		}
		name = config.CurrentContext
	}
	if name == "" || name == "default" {
		return "", "", nil
	}
	id := sha256.Sum256([]byte(name))
	file := filepath.Join(dir, "contexts", "meta", hex.EncodeToString(id[:]), "meta.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return "", "", fmt.Errorf("reading docker's context %q: %w (choose another with docker context use, or set DOCKER_HOST)", name, err)
	}
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return "", "", fmt.Errorf("reading docker's context %q: %s: %w", name, file, err)
	}
	return name, meta.Endpoints["docker"].Host, nil
}

// mend says what to do about an engine that does not answer.
func mend(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "permission denied"):
		return "this user may not use it: join the group docker (sudo usermod -aG docker $USER, and log in again)"
	default:
		return "install or start Docker (https://docs.docker.com/get-docker), or set DOCKER_HOST to where it is"
	}
}

// Named reports whether something names an engine, or the default socket is
// there: then one that does not answer is an error, and not a computer without
// Docker.
func Named() bool {
	host, from, err := engineHost("")
	if err != nil || from != "the default" {
		return true
	}
	_, err = os.Stat(strings.TrimPrefix(host, "unix://"))
	return err == nil
}
