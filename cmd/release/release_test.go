package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"squall/internal/machinetest"
	"squall/nodeimage"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// scratchModule makes a module of the name squall out of files.
func scratchModule(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module squall\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestRelease makes a release for this computer, from two places, and looks
// whether it is the same, whole, and in need of nothing.
func TestRelease(t *testing.T) {
	machinetest.NotShort(t, "it compiles squall")
	machinetest.NeedWhole(t, "squall is compiled twice as for a release, which takes minutes with a cold cache")
	if !slices.Contains(allTargets(), host()) {
		machinetest.Skipf(t, "squall is not released for %s", host())
	}
	root, err := nodeimage.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "a longer path")
	copySources(t, root, elsewhere)
	var outs []string
	for _, root := range []string{root, elsewhere} {
		var log bytes.Buffer
		r := release{root: root, out: t.TempDir(), version: "1.2.3", targets: []target{host()},
			carries: []target{{"linux", host().arch}}, log: &log}
		if err := r.write(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "squall for "+host().String()) {
			t.Errorf("the log does not tell what was built:\n%s", &log)
		}
		outs = append(outs, r.out)
	}
	t.Run("is reproducible", func(t *testing.T) { sameFiles(t, outs[0], outs[1]) })
	t.Run("is summed up", func(t *testing.T) { checkSums(t, outs[0]) })
	t.Run("tells what it is made of", func(t *testing.T) { checkBOM(t, filepath.Join(outs[0], bomFile)) })
	machinetest.Turn(t) // all start machines
	t.Run("runs alone", func(t *testing.T) { runAlone(t, programIn(t, outs[0])) })
	t.Run("tests a system of one's own", func(t *testing.T) { testsOwnSystem(t, root, programIn(t, outs[0])) })
	t.Run("runs in a container", func(t *testing.T) { runInContainer(t, outs[0], "squall:1.2.3") })
}

// runInContainer loads the image and has it make machines in its container,
// with no more rights than the README says.
func runInContainer(t *testing.T, out, image string) {
	docker := func(args ...string) (string, error) {
		said, err := exec.Command("docker", args...).CombinedOutput()
		return string(said), err
	}
	if said, err := docker("version"); err != nil {
		machinetest.Missing(t, fmt.Sprintf("no Docker: %v: %s", err, said))
	}
	archives, err := filepath.Glob(filepath.Join(out, "*.tar"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("images %v, %v", archives, err)
	}
	if said, err := docker("load", "-i", archives[0]); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	t.Cleanup(func() { _, _ = docker("rmi", image) })
	rights := []string{"run", "--rm", "--network", "none", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"}
	said, err := docker(append(rights, image, "doctor")...)
	if err != nil || !strings.Contains(said, "✓ local machines") {
		t.Errorf("squall doctor in its container: %v\n%s", err, said)
	}
	if said, err := docker("run", "--rm", "--network", "none", image, "doctor"); err == nil || !strings.Contains(said, "--cap-add SYS_ADMIN") {
		t.Errorf("squall doctor without the rights: %v\n%s", err, said)
	}
}

func programIn(t *testing.T, out string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(out, "squall-"+host().dashed()+"*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("programs %v, %v", found, err)
	}
	return found[0]
}

func copySources(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"go.mod", "go.sum", "version.go", "cmd", "history", "internal", "nemesis", "nodeimage", "orchestrator", "reports", "workloads"} {
		source, target := filepath.Join(from, name), filepath.Join(to, name)
		info, err := os.Stat(source)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(target, os.DirFS(source))
		} else if err = os.MkdirAll(to, 0o755); err == nil {
			var text []byte
			if text, err = os.ReadFile(source); err == nil {
				err = os.WriteFile(target, text, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sameFiles(t *testing.T, one, other string) {
	names := func(dir string) []string {
		var names []string
		for _, e := range must(os.ReadDir(dir))(t) {
			names = append(names, e.Name())
		}
		return names
	}
	if a, b := names(one), names(other); !slices.Equal(a, b) || len(a) < 3 {
		t.Fatalf("files %v and %v", a, b)
	}
	for _, name := range names(one) {
		a, b := must(os.ReadFile(filepath.Join(one, name)))(t), must(os.ReadFile(filepath.Join(other, name)))(t)
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs: %d and %d bytes", name, len(a), len(b))
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func checkSums(t *testing.T, out string) {
	text := string(must(os.ReadFile(filepath.Join(out, sumsFile)))(t))
	entries := must(os.ReadDir(out))(t)
	if lines := strings.Count(text, "\n"); lines != len(entries)-1 {
		t.Errorf("%d sums for %d files", lines, len(entries)-1)
	}
	for _, e := range entries {
		if e.Name() == sumsFile {
			continue
		}
		if line := must(sha256Of(filepath.Join(out, e.Name())))(t) + "  " + e.Name() + "\n"; !strings.Contains(text, line) {
			t.Errorf("the sums do not hold %q:\n%s", line, text)
		}
	}
}

func checkBOM(t *testing.T, path string) {
	file := must(os.Open(path))(t)
	defer file.Close()
	var document cdx.BOM
	if err := cdx.NewBOMDecoder(file, cdx.BOMFileFormatJSON).Decode(&document); err != nil {
		t.Fatal(err)
	}
	if document.SerialNumber != "" || document.Metadata.Timestamp != "" {
		t.Errorf("it differs every time: serial %q, time %q", document.SerialNumber, document.Metadata.Timestamp)
	}
	components := map[string]cdx.Component{}
	for _, c := range *document.Components {
		components[c.Name] = c
	}
	if c := components["github.com/klauspost/compress"]; c.Properties == nil || !strings.HasPrefix((*c.Properties)[0].Value, "h1:") ||
		c.PackageURL != "pkg:golang/github.com/klauspost/compress@"+c.Version {
		t.Errorf("a module: %+v", c)
	}
	if c := components["github.com/docker/docker"]; !strings.HasSuffix(c.PackageURL, "%2Bincompatible") {
		t.Errorf("a module's package URL with a plus in it: %q", c.PackageURL)
	}
	for _, name := range []string{"squall", "squall-node"} {
		if c := components[name]; c.Version != "1.2.3" || c.Hashes == nil || len((*c.Hashes)[0].Value) != 64 {
			t.Errorf("a program: %+v", c)
		}
	}
	needs := map[string][]string{}
	for _, d := range *document.Dependencies {
		needs[d.Ref] = *d.Dependencies
	}
	if squall := needs["squall-"+host().dashed()]; !slices.Contains(squall, "squall-node-linux-"+host().arch) {
		t.Errorf("squall is made of %v, not of the node that it carries", squall)
	}
	node := needs["squall-node-linux-"+host().arch]
	if !slices.ContainsFunc(node, func(ref string) bool { return strings.Contains(ref, "google/nftables@") }) ||
		slices.ContainsFunc(node, func(ref string) bool { return strings.Contains(ref, "spf13/cobra@") }) {
		t.Errorf("the node is made of %v; want nftables in it and cobra not", node)
	}
}

// runAlone runs squall where there is neither Go nor a repository nor a home.
func runAlone(t *testing.T, program string) {
	empty := t.TempDir()
	call := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = empty
		cmd.Env = []string{"PATH=" + empty, "XDG_CACHE_HOME=" + filepath.Join(empty, "cache"), "SystemRoot=" + os.Getenv("SystemRoot"),
			"DOCKER_HOST=" + os.Getenv("DOCKER_HOST")}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	carries := "linux/" + host().arch
	if out, err := call("version"); err != nil || !strings.Contains(out, "carries squall-node for "+carries+"\n") {
		t.Errorf("squall version: %v\n%s", err, out)
	}
	// Whether there is an engine is not asked here: it says so, or it has
	// brought up two machines.
	out, err := call("doctor")
	if !strings.Contains(out, "carried for "+carries+"\n") || strings.Contains(out, "Go toolchain") {
		t.Errorf("squall doctor: %v\n%s", err, out)
	}
	if err != nil {
		t.Logf("no machines were tried: %v\n%s", err, out)
	} else if nodes, _ := filepath.Glob(filepath.Join(empty, "cache", "squall", "squall-node-*")); len(nodes) != 1 {
		t.Errorf("machines ran %v out of the cache, want the carried node", nodes)
	}
}

// testsOwnSystem has squall test a static server and the file that describes it, where
// there is neither Go nor a repository nor a home.
func testsOwnSystem(t *testing.T, root, program string) {
	folder := t.TempDir()
	from := filepath.Join(root, "workloads/systems/testdata/single")
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "server"), ".")
	build.Dir, build.Env = from, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(from, "system.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "system.yaml"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = folder
		cmd.Env = []string{"PATH=" + folder, "XDG_CACHE_HOME=" + filepath.Join(folder, "cache"), "SystemRoot=" + os.Getenv("SystemRoot"),
			"DOCKER_HOST=" + os.Getenv("DOCKER_HOST")}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := call("doctor"); err != nil {
		machinetest.Missing(t, fmt.Errorf("no machines can be had: %w\n%s", err, out))
	}
	if out, err := call("doctor", "system.yaml"); err != nil || !strings.Contains(out, "✓ register cas") {
		t.Errorf("squall doctor: %v\n%s", err, out)
	}
	run := []string{"run", "--nemesis", "none", "--time", "2s", "--system"}
	if out, err := call(append(run, "system.yaml", "--nodes", "1")...); err != nil || !strings.Contains(out, "✓ PASS") {
		t.Errorf("squall run: %v\n%s", err, out)
	}
	if out, err := call(append(run, "system.yaml(share=no)", "--nodes", "2")...); err == nil || !strings.Contains(out, "✗ VIOLATION") {
		t.Errorf("squall run, of two nodes that share nothing: %v\n%s", err, out)
	}
}

func TestErrorsNameTheTarget(t *testing.T) {
	machinetest.NotShort(t, "it compiles nodes")
	root := scratchModule(t, map[string]string{"cmd/squall-node/main.go": "package main\n\nfunc main() { undefined() }\n"})
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, sumsFile), []byte("of an older release"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := release{root: root, out: out, carries: []target{{"linux", host().arch}}, log: io.Discard}
	err := r.write(t.Context())
	for _, want := range []string{"squall-node for linux/" + host().arch, "main.go:3:15: undefined: undefined",
		"GOOS=linux GOARCH=" + host().arch + " go build"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q in it", err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(out, sumsFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a release that failed has sums: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.write(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := r.write(t.Context()); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("without Go: %v", err)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--targets", "linux/amd64,plan9/amd64"}, "windows/amd64"},
		{[]string{"--targets", ""}, "linux/amd64"},
		{[]string{"dist"}, `"dist"`},
		{[]string{"--nope"}, "nope"},
	} {
		if err := run(t.Context(), c.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("release %v: %v, want %q in it", c.args, err, c.want)
		}
	}
	if got, err := parseTargets(joinTargets(allTargets())); err != nil || !slices.Equal(got, allTargets()) {
		t.Errorf("the default targets: %v, %v", got, err)
	}
}
