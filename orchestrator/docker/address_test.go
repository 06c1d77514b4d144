package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// dockerConfig is an empty configuration of the docker command, the only one
// that the test sees.
func dockerConfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv(envConfig, dir)
	for _, name := range []string{client.EnvOverrideHost, envContext, envTLS, client.EnvTLSVerify, client.EnvOverrideCertPath,
		client.EnvOverrideAPIVersion} {
		t.Setenv(name, "")
	}
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// contextFolder is where the docker command keeps that part of a context.
func contextFolder(dir, part, name string) string {
	id := sha256.Sum256([]byte(name))
	return filepath.Join(dir, "contexts", part, hex.EncodeToString(id[:]))
}

func putContext(t *testing.T, dir, name, host string) {
	t.Helper()
	put(t, filepath.Join(contextFolder(dir, "meta", name), "meta.json"),
		`{"Name":"`+name+`","Metadata":{},"Endpoints":{"docker":{"Host":"`+host+`","SkipTLSVerify":false}}}`)
}

func TestEngineAddress(t *testing.T) {
	dir := dockerConfig(t)
	check := func(when, given string, wantHost, wantFrom string) {
		t.Helper()
		a, err := engineAddress(given)
		if err != nil || a.Host != wantHost || a.from != wantFrom {
			t.Errorf("%s: %q %q, %v, want %q %q", when, a.Host, a.from, err, wantHost, wantFrom)
		}
	}
	wantErr := func(when string, words ...string) {
		t.Helper()
		_, err := engineAddress("")
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q in it", when, err, w)
			}
		}
	}
	check("nothing set", "", client.DefaultDockerHost, "the default")
	put(t, filepath.Join(dir, "config.json"), `{"currentContext":"desktop-linux"}`)
	wantErr("a context that is not there", `"desktop-linux"`, "no context of that name; there are: default")
	putContext(t, dir, "desktop-linux", "unix:///home/me/.docker/run/docker.sock")
	check("a context", "", "unix:///home/me/.docker/run/docker.sock", "from docker's context desktop-linux")
	t.Setenv(envContext, "far")
	wantErr("another that is not there", `"far"`, "default, desktop-linux", "docker context use")
	putContext(t, dir, "far", "ssh://me@far")
	check("DOCKER_CONTEXT", "", "ssh://me@far", "from docker's context far")
	putContext(t, dir, "far", "me@far")
	wantErr("a context with a bad address", `"me@far" (from docker's context far)`, "expected")
	putContext(t, dir, "far", "")
	check("a context without an address", "", client.DefaultDockerHost, "from docker's context far")
	put(t, filepath.Join(contextFolder(dir, "meta", "far"), "meta.json"), `{"Name":"far","Endpoints":{}}`)
	wantErr("a context without Docker", `"far"`, "cannot find docker endpoint")
	put(t, filepath.Join(contextFolder(dir, "meta", "far"), "meta.json"), `{`)
	wantErr("a broken context", `"far"`, "meta.json")
	t.Setenv(envContext, "default")
	check("the default context", "", client.DefaultDockerHost, "the default")
	t.Setenv(envContext, "far")
	t.Setenv(client.EnvOverrideHost, "tcp://10.0.0.1:2375")
	check("DOCKER_HOST", "", "tcp://10.0.0.1:2375", "from DOCKER_HOST")
	check("as given", "unix:///x", "unix:///x", "as given")
	check("host:port, as the docker command takes it", "10.0.0.1:2375", "tcp://10.0.0.1:2375", "as given")
	t.Setenv(client.EnvTLSVerify, "1")
	wantErr("TLS without its files", "ca.pem", client.EnvOverrideCertPath)
	t.Setenv(client.EnvOverrideHost, "")
	t.Setenv(envContext, "")
	put(t, filepath.Join(dir, "config.json"), "{")
	wantErr("bad configuration", "config.json")
}

func TestAddressTypedWrong(t *testing.T) {
	dockerConfig(t)
	for _, host := range []string{"unx:///x", "/var/run/docker.sock", "tcp:/x", "tcp://host", "tcp://host:port", "unix://", "unix:/x",
		"http://host:2375", "ssh://", "ssh://me:secret@there?x=1", "host", "tcp://", "://"} {
		t.Setenv(client.EnvOverrideHost, host)
		_, err := New(t.Context(), Options{})
		if !errors.Is(err, ErrNoEngine) {
			t.Errorf("%s: %v, want ErrNoEngine", host, err)
			continue
		}
		for _, w := range []string{host, "DOCKER_HOST", "unix:///path, tcp://host:port or ssh://user@host"} {
			if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want %q in it, in one line", host, err, w)
			}
		}
	}
	for _, host := range []string{"unix:///x", "tcp://host:1", "tcp://[::1]:2375", "tcp://host:1/path", "ssh://there", "ssh://me@there:22/run/docker.sock"} {
		if _, err := checkHost(host, "as given"); err != nil {
			t.Error(err)
		}
	}
}

func TestNamed(t *testing.T) {
	dir := dockerConfig(t)
	_, socket, _ := strings.Cut(client.DefaultDockerHost, "://")
	_, err := os.Stat(socket)
	byDefault := err == nil
	check := func(when string, want bool) {
		t.Helper()
		if Named() != want {
			t.Errorf("%s: %v, want %v", when, !want, want)
		}
	}
	check("nothing set", byDefault)
	put(t, filepath.Join(dir, "config.json"), `{"currentContext":"default"}`)
	check("the default context", byDefault)
	put(t, filepath.Join(dir, "config.json"), `{"currentContext":"far"}`)
	check("a context", true)
	t.Setenv(envContext, "default")
	check("DOCKER_CONTEXT=default", byDefault)
	t.Setenv(envContext, "far")
	check("DOCKER_CONTEXT", true)
	t.Setenv(envContext, "")
	t.Setenv(client.EnvOverrideHost, "tcp://nowhere:1")
	check("DOCKER_HOST", true)
}

func TestNoEngine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	_, err := New(context.Background(), Options{Host: "unix://" + socket})
	if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), socket) || !strings.Contains(err.Error(), "DOCKER_HOST") {
		t.Errorf("got %v, want ErrNoEngine, the address and what to do", err)
	}
	if text := err.Error(); !strings.Contains(text, "as given") || !strings.Contains(text, "no such file") || strings.Contains(text, "\n") {
		t.Errorf("got %v, want who gave the address and the cause, in one line", err)
	}
	// One that accepts and says nothing must not hold us for ever.
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "mute.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- struct{}{}
			go func() {
				defer c.Close()
				io.Copy(io.Discard, c)
			}()
		}
	}()
	host := "unix://" + l.Addr().String()
	_, err = New(t.Context(), Options{Host: host, PingTimeout: 100 * time.Millisecond})
	if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), "did not answer within 100ms") {
		t.Errorf("got %v, want that it did not answer in time", err)
	}
	<-accepted
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-accepted; cancel() }()
	if _, err := New(ctx, Options{Host: host}); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrNoEngine) {
		t.Errorf("got %v, want the context's error", err)
	}
}
