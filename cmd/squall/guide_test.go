package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/guidetest"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
)

// The guide to adding a system is followed word for word: the folder and the lines of
// the catalogue are laid over the sources, the commands are run as they stand there, and
// what the page says of each must come out.

// TestTheGuidesSystemCompiles: its folder and lines, its server and its client do, with
// the sources as they are.
func TestTheGuidesSystemCompiles(t *testing.T) {
	machinetest.NotShort(t, "it compiles the catalogue with one system more")
	f, commands := followed(t)
	f.must(0, "go build ./workloads/catalogue")
	for _, command := range commands[:2] {
		f.must(0, command)
	}
}

func TestTheGuideAddsASystem(t *testing.T) {
	machinetest.NeedWhole(t, "the folder, the server and the client of the guide compile; this runs them")
	needRuntime(t, testplan.RuntimeLocal)
	machinetest.Turn(t)
	f, commands := followed(t)
	f.isolate()
	squall := filepath.Join(f.dir, "squall")
	f.must(0, "go build -o "+squall+" ./cmd/squall")
	f.squall = squall
	for _, command := range commands[:2] { // server and client
		f.must(0, command)
	}
	tries := strings.Split(strings.TrimSpace(commands[2]), "\n")
	if len(tries) != 2 {
		t.Fatalf("the guide tries %q", tries)
	}
	f.must(0, tries[0], "a key-value server in which one process has the data", "the other nodes forward to the first")
	f.must(0, tries[1], "verdict  ✓ PASS", "✓ linearizable", "no trace: who led is not known")
	f.must(1, commands[3], "VIOLATION", "✗ linearizable")
	f.must(64, commands[4], "kill(leader) is not available here: single writes no trace", "other targets of kill are n1, one, minority, majority, all")

	f.write("broken.go", "package main\n\nimport \"os\"\n\nfunc main() {\n\tos.Stderr.WriteString(\"no licence found\\n\")\n\tos.Exit(3)\n}\n")
	f.must(0, "CGO_ENABLED=0 go build -o /tmp/single/broken /tmp/single/broken.go")
	f.must(exitInvalid, strings.Replace(tries[1], "client=/tmp/single/client", "client=/tmp/single/broken", 1),
		"the client program /opt/single/client failed 11 times, the last time because it ended: exit status 3; its last lines: no licence found")

	run := tries[1]
	for change, want := range map[string]string{
		" --mutant half-quorum":                      "half-quorum cannot be planted in single",
		" --nemesis clock-offset":                    "single uses the computer's clock",
		" --workload lock":                           "the system single cannot serve the workload lock; it serves: register",
		" --system 'single(shares=1)'":               `has no parameter "shares"`,
		" --system 'single(server=/nowhere/server)'": "/nowhere/server (/opt/single/server in the machines): there is no such file",
		" --system 'single(server=/tmp/single/server, client=/nowhere/client)'":       "/nowhere/client (/opt/single/client in the machines): there is no such file",
		" --system 'single(server=/tmp/single/server, client=/tmp/single/client.go)'": "client.go (/opt/single/client in the machines)",
	} {
		f.must(64, strings.TrimSpace(run)+change, want)
	}
}

// followed is a follower of the guide with its folder and lines laid over the sources,
// and the guide's commands.
func followed(t *testing.T) (f follower, commands []string) {
	t.Helper()
	if _, err := catalogue.FindSystem("single"); err == nil {
		machinetest.Skip(t, "somebody has followed the guide: its system is in this catalogue")
	}
	g := guidetest.Pieces(guidetest.Read(t, "../../docs/guides/adding-a-system.md"))
	if len(g["go"]) != 3 || len(g["sh"]) != 5 {
		t.Fatalf("the guide has %d pieces of Go and %d of shell, want the folder and two lines, and five commands", len(g["go"]), len(g["sh"]))
	}
	f = follower{t: t, dir: t.TempDir()}
	f.overlay(g["go"])
	f.write("client.go", guidetest.Pieces(guidetest.Read(t, "../../docs/clients.md"))["go"][0])
	return f, g["sh"]
}

// follower follows a guide.
type follower struct {
	t      *testing.T
	dir    string // in place of /tmp/single
	squall string // in place of go run ./cmd/squall
	env    []string
}

func (f *follower) write(name, content string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// overlay lays the folder and the changed lines over the sources.
func (f *follower) overlay(pieces []string) {
	f.t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		f.t.Fatal(err)
	}
	changed := filepath.Join(root, "workloads/catalogue/systems.go")
	list := guidetest.Read(f.t, changed)
	const end = ".System{},\n\t}\n"
	list = guidetest.Change(f.t, list, end, strings.Replace(end, "\t}\n", pieces[1]+"\t}\n", 1))
	imports := strings.TrimRight(pieces[2], "\n") // what stands there is that without what the guide adds
	list = guidetest.Change(f.t, list, strings.Replace(imports, "\n\t\"squall/workloads/systems/single\"", "", 1), imports)
	overlay := guidetest.Overlay(f.t, f.dir, map[string]string{
		filepath.Join(root, "workloads/systems/single/single.go"): pieces[0],
		changed: list,
	})
	f.env = append(f.env, "GOFLAGS=-overlay="+overlay)
}

// isolate keeps what is built of the changed sources out of the user's cache, and Go's
// own cache where it is.
func (f *follower) isolate() {
	f.t.Helper()
	f.env = append(f.env, "GOCACHE="+machinetest.GoEnv(f.t, "GOCACHE"), "XDG_CACHE_HOME="+filepath.Join(f.dir, "cache"))
}

// must runs a command of the guide in the root of the sources. It must end with that
// code, and say all that.
func (f *follower) must(code int, command string, says ...string) {
	f.t.Helper()
	command = strings.ReplaceAll(strings.TrimSpace(command), "/tmp/single", f.dir)
	if f.squall != "" {
		command = strings.Replace(command, "go run ./cmd/squall", f.squall, 1)
	}
	if strings.Contains(command, " run ") {
		command += " --runtime local --time 10s --rate 200 --out " + filepath.Join(f.dir, "runs")
	}
	cmd := exec.CommandContext(f.t.Context(), "sh", "-c", command)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), f.env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		f.t.Fatalf("%s\nexit code %d, want %d:\n%s", command, got, code, out)
	}
	for _, text := range says {
		if !strings.Contains(string(out), text) {
			f.t.Errorf("%s\ndoes not say %q:\n%s", command, text, out)
		}
	}
}
