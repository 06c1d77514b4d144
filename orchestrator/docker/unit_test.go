package docker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"squall/orchestrator"
)

func TestControl(t *testing.T) {
	var wire bytes.Buffer
	stdout := stdcopy.NewStdWriter(&wire, stdcopy.Stdout)
	stderr := stdcopy.NewStdWriter(&wire, stdcopy.Stderr)
	var want, wantErr strings.Builder
	for i := range 300 {
		fmt.Fprintf(io.MultiWriter(stdout, &want), "frame %d;", i)
		if i%7 == 0 {
			fmt.Fprintf(io.MultiWriter(stderr, &wantErr), "complaint %d\n%s", i, strings.Repeat(".", 4000))
		}
	}
	for name, in := range map[string]io.Reader{
		"as it comes":    bytes.NewReader(wire.Bytes()),
		"byte by byte":   iotest.OneByteReader(bytes.NewReader(wire.Bytes())),
		"end with bytes": iotest.DataErrReader(bytes.NewReader(wire.Bytes())),
	} {
		t.Run(name, func(t *testing.T) {
			c := newControl(nil, in)
			got, err := io.ReadAll(c)
			if err != nil || string(got) != want.String() {
				t.Errorf("stdout is %d bytes, %v, want %d", len(got), err, want.Len())
			}
			kept := string(c.lastStderr())
			if len(kept) != stderrKept || !strings.HasSuffix(wantErr.String(), kept) {
				t.Errorf("%d bytes of stderr are kept, want its last %d", len(kept), stderrKept)
			}
			if !c.ended() {
				t.Error("the end went unnoticed")
			}
		})
	}
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"in a piece":  {"\x01\x00\x00\x00\x00\x00\x00\x09abc", io.ErrUnexpectedEOF},
		"in a header": {"\x01\x00\x00", io.ErrUnexpectedEOF},
		"in stderr":   {"\x02\x00\x00\x00\x00\x00\x00\x09abc", io.ErrUnexpectedEOF},
	} {
		t.Run("cut "+name, func(t *testing.T) {
			if _, err := io.ReadAll(newControl(nil, strings.NewReader(c.in))); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	for name, in := range map[string]string{
		"the engine's error": "\x03\x00\x00\x00\x00\x00\x00\x04lost",
		"garbage":            "HTTP/1.1 500",
	} {
		if _, err := io.ReadAll(newControl(nil, strings.NewReader(in))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPoolNets(t *testing.T) {
	pool := netip.MustParsePrefix(orchestrator.NetworkPool)
	seen := make(map[netip.Prefix]bool)
	for i := range 2 * poolNets {
		n := poolNet(i)
		if !pool.Overlaps(n) || n.Masked() != n || n.Bits() != 24 {
			t.Fatalf("net %d is %v", i, n)
		}
		seen[n] = true
	}
	if len(seen) != poolNets {
		t.Errorf("%d different networks, want %d", len(seen), poolNets)
	}
	for _, i := range []int{0, orchestrator.MaxMachines - 1} {
		if n := poolNet(511); !n.Contains(orchestrator.MachineAddr(n, i)) {
			t.Errorf("machine %d has %v, outside %v", i, orchestrator.MachineAddr(n, i), n)
		}
	}
}

func TestEngineHost(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "")
	check := func(when, given, wantHost, wantErr string) {
		t.Helper()
		host, _, err := engineHost(given)
		if host != wantHost || (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: %q, %v, want %q, %q", when, host, err, wantHost, wantErr)
		}
	}
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	check("nothing set", "", "unix:///var/run/docker.sock", "")
	put("config.json", `{"currentContext":"desktop-linux"}`)
	check("a context without files", "", "", `context "desktop-linux"`)
	id := sha256.Sum256([]byte("desktop-linux"))
	put("contexts/meta/"+hex.EncodeToString(id[:])+"/meta.json", `{"Endpoints":{"docker":{"Host":"unix:///home/me/.docker/run/docker.sock"}}}`)
	check("a context", "", "unix:///home/me/.docker/run/docker.sock", "")
	t.Setenv("DOCKER_CONTEXT", "default")
	check("the default context", "", "unix:///var/run/docker.sock", "")
	t.Setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
	check("DOCKER_HOST", "", "tcp://10.0.0.1:2375", "")
	check("as given", "unix:///x", "unix:///x", "")
	check("by ssh", "ssh://me@there", "", "by ssh")
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "")
	put("config.json", "{")
	check("bad configuration", "", "", "config.json")
}

func TestNoEngine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	_, err := New(context.Background(), Options{Host: "unix://" + socket})
	if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), socket) || !strings.Contains(err.Error(), "DOCKER_HOST") {
		t.Errorf("got %v, want ErrNoEngine, the address and what to do", err)
	}
	// One that accepts and says nothing must not hold us for ever.
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "mute.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if c, err := l.Accept(); err == nil {
			cancel()
			defer c.Close()
			io.Copy(io.Discard, c)
		}
	}()
	if _, err := New(ctx, Options{Host: "unix://" + l.Addr().String()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestDescribe(t *testing.T) {
	for want, s := range map[string]*container.State{
		"exit code 137 (it was killed)": {ExitCode: 137},
		"ran out of memory":             {ExitCode: 137, OOMKilled: true},
		"exit code 1":                   {ExitCode: 1},
		"no such file":                  {ExitCode: 127, Error: "no such file"},
	} {
		if got := describe(s); !strings.Contains(got, want) {
			t.Errorf("%+v is %q, want %q in it", s, got, want)
		}
	}
	m := &machine{control: newControl(nil, nil)}
	m.control.stderr = []byte("first\n" + strings.Repeat("again\n", 20) + "agent: no ports left\n")
	if got := m.withLastWords("dead"); !strings.HasSuffix(got, "agent: no ports left") || strings.Contains(got, "first") {
		t.Errorf("got %q", got)
	}
}
