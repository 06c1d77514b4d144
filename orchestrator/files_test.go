package orchestrator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/declare"
	"squall/nodeimage"
	"squall/nodeimage/files"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// provider is a system with files.
type provider struct {
	systems.System
	program string // of its servers
	files   []files.File
	err     error
	arch    string // that was asked for
	args    declare.Args
}

func (p *provider) Name() string { return "provider" }

func (p *provider) Server(systems.Node, systems.Cluster, declare.Args) (systems.Start, error) {
	return systems.Start{Argv: []string{p.program}}, nil
}

func (p *provider) Files(_ context.Context, arch string, a declare.Args) ([]files.File, error) {
	p.arch, p.args = arch, a
	return p.files, p.err
}

var _ systems.FileProvider = (*provider)(nil)

// programmer is one whose clients are a program.
type programmer struct {
	provider
	argv        []string
	clientFiles []files.File
}

func (p *programmer) ClientProgram(declare.Args) systems.Program {
	return systems.Program{Argv: p.argv}
}

func (p *programmer) ClientFiles(context.Context, string, declare.Args) ([]files.File, error) {
	return p.clientFiles, p.err
}

var _ systems.ClientProgrammer = (*programmer)(nil)

// source is a file on this computer that any machine can hold.
func source(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFilesOfASystem: a system names them, its servers' machines get them, and the
// driver's gets those of its clients.
func TestFilesOfASystem(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	p := &programmer{provider: provider{program: nodeimage.BinaryPath, files: []files.File{{Path: "/etc/config", Source: source(t, "x")}}},
		argv: []string{nodeimage.BinaryPath}}
	args := declare.Args{"version": "1"}
	if err := checkFiles(t.Context(), p, nil, 3, "arm64"); err != nil || p.arch != "arm64" {
		t.Errorf("%v; it was asked for %q", err, p.arch)
	}
	sets, err := takeFiles(t.Context(), p, args, origins{arch: "arm64", progress: quietProgress{}})
	if err != nil || p.args["version"] != "1" || len(sets.servers.Files()) != 1 || sets.servers.For("arm64") != nil || sets.clients != nil {
		t.Fatalf("it took %+v, %v", sets, err)
	}
	p.clientFiles = []files.File{{Path: "/etc/clients", Source: source(t, "yz")}}
	if sets, err = takeFiles(t.Context(), p, args, origins{arch: "arm64", progress: quietProgress{}}); err != nil || len(sets.clients.Files()) != 1 || sets.bytes() != 3 {
		t.Fatalf("of the clients it took %+v, %v", sets, err)
	}
	for _, spec := range machineSpecs([]string{"n1", "n2"}, testplan.DefaultTest(), sets, nil) {
		want := sets.servers.Key()
		if spec.Name == driverMachine {
			want = sets.clients.Key()
		}
		if got := spec.Files.Key(); got != want || got == "" {
			t.Errorf("%s gets the files %q, want %q", spec.Name, got, want)
		}
	}
	if none, err := takeFiles(t.Context(), catalogue.Systems()[0], nil, origins{arch: "arm64", progress: quietProgress{}}); none != (machineSets{}) || err != nil {
		t.Errorf("of a system without files it took %+v, %v", none, err)
	}
}

// TestFilesOfASystemAreRefused: where a file is to blame the setting is, too; what
// else goes wrong is no mistake of whoever chose the system.
func TestFilesOfASystemAreRefused(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	missing := files.File{Path: "/opt/server", Source: filepath.Join(t.TempDir(), "nope"), Exec: true}
	for want, tc := range map[string]struct {
		provider *provider
		blame    bool
	}{
		"system: " + missing.Source + " (/opt/server in the machines): there is no such file": {&provider{files: []files.File{missing}}, true},
		"the files of provider: no disk": {&provider{err: errors.New("no disk")}, false},
		"system: the files of provider: /opt/server in the machines: its own": {
			&provider{err: &files.Error{File: files.File{Path: "/opt/server"}, Err: errors.New("its own reason")}}, true},
	} {
		_, takeErr := takeFiles(t.Context(), tc.provider, nil, origins{arch: "amd64", progress: quietProgress{}})
		for _, err := range []error{checkFiles(t.Context(), tc.provider, nil, 3, "amd64"), takeErr} {
			var field *testplan.FieldError
			if err == nil || !strings.Contains(err.Error(), want) || errors.As(err, &field) != tc.blame || field != nil && field.Option != "system" {
				t.Errorf("%v, want %q, and a setting to blame: %v", err, want, tc.blame)
			}
		}
	}
}

// TestProgramsThatNoMachineHolds: a server or a client program that would not be found
// is refused, and so is one that could not be run.
func TestProgramsThatNoMachineHolds(t *testing.T) {
	data := files.File{Path: "/opt/data", Source: source(t, "x")}
	missing := files.File{Path: "/opt/client", Source: filepath.Join(t.TempDir(), "nope"), Exec: true}
	node := []string{nodeimage.BinaryPath}
	for want, p := range map[string]*programmer{
		"the server of provider is /opt/server, and its machine has no such file: Files must list it":               {provider: provider{program: "/opt/server"}, argv: node},
		"the server of provider is /opt/data, which its machine cannot run: Files must list it with Exec":           {provider: provider{program: "/opt/data", files: []files.File{data}}, argv: node},
		"the client program of provider is /opt/client, and its machine has no such file: ClientFiles must list it": {provider: provider{program: node[0]}, argv: []string{"/opt/client"}},
		"provider does not say which program its client program is":                                                 {provider: provider{program: node[0]}},
		"(/opt/client in the machines): there is no such file":                                                      {provider: provider{program: node[0]}, argv: []string{"/opt/client"}, clientFiles: []files.File{missing}},
	} {
		var field *testplan.FieldError
		if err := checkFiles(t.Context(), p, nil, 3, "amd64"); err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &field) || field.Option != "system" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
