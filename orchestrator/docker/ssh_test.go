package docker

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"squall/internal/machinetest"
)

func removeOptions() image.RemoveOptions {
	return image.RemoveOptions{Force: true, PruneChildren: true}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// fakeSSH is a shell script in place of ssh, the only program of that name.
func fakeSSH(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "ssh"), "#!/bin/sh\n"+script)
	if err := os.Chmod(filepath.Join(dir, "ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestSSH has a script for ssh that checks what it is asked for and does what
// the far side would.
func TestSSH(t *testing.T) {
	real := engine(t)
	if _, err := exec.LookPath("docker"); err != nil {
		machinetest.Missing(t, fmt.Sprintf("the docker command: %v", err))
	}
	dir := dockerConfig(t)
	fakeSSH(t, fmt.Sprintf(`
case "$*" in
"-l me -p 2222 -o ConnectTimeout="*" -T -- far docker system dial-stdio") ;;
*) echo "asked for: $*" >&2; exit 1;;
esac
logins='%s'
trap 'rm -f "$logins/$$"; exit 255' TERM
touch "$logins/$$"
sleep 0.3
if [ "$(ls "$logins" | wc -l)" -gt 10 ]; then
  echo "kex_exchange_identification: Connection closed by remote host" >&2
  exit 255
fi
rm "$logins/$$"
exec docker --host '%s' system dial-stdio
`, t.TempDir(), real.addr.Host))
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // is none of ssh's business
	t.Run("environment", func(t *testing.T) {
		t.Setenv(client.EnvOverrideHost, "ssh://me@far:2222")
		wantWholeRun(t, "from DOCKER_HOST")
	})
	t.Run("many at once", func(t *testing.T) {
		t.Setenv(client.EnvOverrideHost, "ssh://me@far:2222")
		r := connect(t, "")
		var group errgroup.Group
		for range 20 {
			group.Go(func() error {
				_, err := r.Info(t.Context())
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
	t.Run("context", func(t *testing.T) {
		machinetest.NeedCI(t, "the engine of a context is reached over TCP")
		putContext(t, dir, "far", "ssh://me@far:2222")
		t.Setenv(envContext, "far")
		wantWholeRun(t, "from docker's context far")
	})
}

// TestSSHFails wants ssh's own words and what to do about them.
func TestSSHFails(t *testing.T) {
	dockerConfig(t)
	t.Setenv(client.EnvOverrideHost, "ssh://me@far/run/docker.sock")
	for words, mend := range map[string]string{
		"ssh: connect to host far port 22: Connection refused":                                       "see whether `ssh ssh://me@far docker version` answers",
		"ssh: Could not resolve hostname far: Name or service not known":                             "fix the address in DOCKER_HOST",
		"me@far: Permission denied (publickey,password).":                                            "let ssh ssh://me@far log in without asking",
		"No ED25519 host key is known for far and you have requested. Host key verification failed.": "log in once by hand",
		"bash: line 1: docker: command not found":                                                    "install Docker there",
		"sh: 1: docker: not found":                                                                   "install Docker there",
		"permission denied while trying to connect to the Docker daemon socket":                      "group docker",
		"Cannot connect to the Docker daemon at unix:///var/run/docker.sock.":                        "start Docker there",
		"dial unix /run/docker.sock: no such file or directory":                                      "see whether",
	} {
		t.Run(words, func(t *testing.T) {
			fakeSSH(t, "echo 'Warning: far is far.' >&2; echo '"+words+"' >&2; exit 255")
			wantNoEngine(t, "at ssh://me@far/run/docker.sock (from DOCKER_HOST): ssh says: ", "Warning: far is far.; "+words+": ", mend)
		})
	}
	t.Run("it reads nothing", func(t *testing.T) {
		fakeSSH(t, "exec 0<&-; sleep 0.1; echo 'too far' >&2; exit 255")
		wantNoEngine(t, "ssh says: too far: ")
	})
	t.Run("no ssh", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		wantNoEngine(t, "there is no ssh program here", "install an OpenSSH client")
	})
}

// TestSSHSilent is an ssh that gets nowhere and says nothing.
func TestSSHSilent(t *testing.T) {
	dockerConfig(t)
	fakeSSH(t, "exec sleep 60")
	r, err := New(t.Context(), Options{Host: "ssh://me@far", PingTimeout: 200e6})
	if err == nil {
		r.Close()
		t.Fatal("an engine answers")
	}
	if text := err.Error(); !strings.Contains(text, "did not answer within 200ms") || !strings.Contains(text, "ssh ssh://me@far docker version") {
		t.Errorf("got %v", err)
	}
}
