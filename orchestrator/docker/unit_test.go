package docker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"squall/orchestrator/machines"
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
	pool := netip.MustParsePrefix(machines.NetworkPool)
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
	for _, i := range []int{0, machines.MaxMachines - 1} {
		if n := poolNet(511); !n.Contains(machines.MachineAddr(n, i)) {
			t.Errorf("machine %d has %v, outside %v", i, machines.MachineAddr(n, i), n)
		}
	}
}

func TestDescribe(t *testing.T) {
	for want, s := range map[string]*container.State{
		"exit code 137 (it was killed)": {ExitCode: 137},
		"ran out of memory":             {ExitCode: 137, OOMKilled: true},
		"exit code 1":                   {ExitCode: 1},
		"no such file":                  {ExitCode: 127, Error: "no such file"},
	} {
		if got := describe(s, false); !strings.Contains(got, want) {
			t.Errorf("%+v is %q, want %q in it", s, got, want)
		}
	}
	// The engine also notes that only the server was killed for want of memory.
	if got := describe(&container.State{ExitCode: 137, OOMKilled: true}, true); !strings.Contains(got, "killed by squall") {
		t.Errorf("what squall killed is %q", got)
	}
	m := &machine{control: newControl(nil, nil)}
	m.control.stderr = []byte("first\n" + strings.Repeat("again\n", 20) + "agent: no ports left\n")
	if got := m.withLastWords("dead"); !strings.HasSuffix(got, "agent: no ports left") || strings.Contains(got, "first") {
		t.Errorf("got %q", got)
	}
}
