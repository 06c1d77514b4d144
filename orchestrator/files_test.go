package orchestrator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/declare"
	"squall/nodeimage/files"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// provider is a system with files.
type provider struct {
	systems.System
	files []files.File
	err   error
	arch  string // that was asked for
	args  declare.Args
}

func (p *provider) Name() string { return "provider" }

func (p *provider) Files(_ context.Context, arch string, a declare.Args) ([]files.File, error) {
	p.arch, p.args = arch, a
	return p.files, p.err
}

var _ systems.FileProvider = (*provider)(nil)

// TestFilesOfASystem: a system names them, its servers' machines get them, and
// the driver's does not.
func TestFilesOfASystem(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	source := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(source, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &provider{files: []files.File{{Path: "/etc/config", Source: source}}}
	args := declare.Args{"version": "1"}
	if err := checkFiles(t.Context(), p, nil, "arm64"); err != nil || p.arch != "arm64" {
		t.Errorf("%v; it was asked for %q", err, p.arch)
	}
	set, err := takeFiles(t.Context(), p, args, "arm64", quietProgress{})
	if err != nil || p.args["version"] != "1" || len(set.Files()) != 1 || set.For("arm64") != nil {
		t.Fatalf("it took %+v, %v", set, err)
	}
	for _, spec := range machineSpecs([]string{"n1", "n2"}, DefaultTest(), set) {
		want := set.Key()
		if spec.Name == driverMachine {
			want = ""
		}
		if got := spec.Files.Key(); got != want {
			t.Errorf("%s gets the files %q, want %q", spec.Name, got, want)
		}
	}
	if none, err := takeFiles(t.Context(), catalogue.Systems()[0], nil, "arm64", quietProgress{}); none != nil || err != nil {
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
		_, takeErr := takeFiles(t.Context(), tc.provider, nil, "amd64", quietProgress{})
		for _, err := range []error{checkFiles(t.Context(), tc.provider, nil, "amd64"), takeErr} {
			var field *FieldError
			if err == nil || !strings.Contains(err.Error(), want) || errors.As(err, &field) != tc.blame || field != nil && field.Option != "system" {
				t.Errorf("%v, want %q, and a setting to blame: %v", err, want, tc.blame)
			}
		}
	}
}
