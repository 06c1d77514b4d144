package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/internal/guidetest"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// ownSystem is the folder of a system that a file describes, with its server: that of
// workloads/systems/testdata/NAME.
func ownSystem(t *testing.T, name string) (file string) {
	t.Helper()
	machinetest.NotShort(t, "it compiles a server")
	folder := t.TempDir()
	from := filepath.Join("../../workloads/systems/testdata", name)
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "server"), "./"+filepath.ToSlash(from))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return writeFile(t, folder, "system.yaml", guidetest.Read(t, filepath.Join(from, "system.yaml")))
}

func writeFile(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestASystemOfAFile: a server passes that keeps what it acknowledged, and two that have
// data of their own are caught. The plan holds what the file said: the run can be
// checked and repeated when the file is gone.
func TestASystemOfAFile(t *testing.T) {
	file := ownSystem(t, "single")
	besideOthers(t, testplan.RuntimeLocal, func(t *testing.T, s *storm) {
		if code := s.runUnlessOverloaded(t, "run", "--system", file, "--nodes", "1", "--schedule", "at 1s for 1s: kill(n1)", "--time", "4s"); code != exitPass {
			t.Fatalf("exit code %d, want %d", code, exitPass)
		}
		if code := s.runUnlessOverloaded(t, "run", "--system", file+"(share=no)", "--nodes", "2", "--nemesis", "none", "--time", "2s"); code != exitViolation {
			t.Fatalf("exit code %d, want %d", code, exitViolation)
		}
		caught := s.dir(t)
		gone := file + ".gone"
		if err := os.Rename(file, gone); err != nil {
			t.Fatal(err)
		}
		defer os.Rename(gone, file)
		if code := s.app.run(s.ctx, []string{"squall", "check", caught}); code != exitViolation {
			t.Errorf("checked again: exit code %d, want %d", code, exitViolation)
		}
		if code := s.runUnlessOverloaded(t, "run", "--plan", caught); code != exitViolation {
			t.Errorf("repeated by its plan: exit code %d, want %d", code, exitViolation)
		}
		env := guidetest.Read(t, filepath.Join(s.dir(t), "env.json"))
		if !strings.Contains(env, `"/opt/single/server"`) {
			t.Errorf("env.json does not say which server was tested:\n%s", env)
		}
		s.nothingLeft(t)
	})
}

// TestAStoreWithoutCAS serves the register by reads and writes alone.
func TestAStoreWithoutCAS(t *testing.T) {
	file := ownSystem(t, "single")
	text := guidetest.Read(t, file)
	before, _, found := strings.Cut(text, "      cas:")
	if !found {
		t.Fatal("the file has no cas any more")
	}
	writeFile(t, filepath.Dir(file), "system.yaml", before)
	besideOthers(t, testplan.RuntimeLocal, func(t *testing.T, s *storm) {
		run := []string{"run", "--system", file, "--nodes", "1", "--nemesis", "none", "--time", "2s"}
		if code := s.runUnlessOverloaded(t, run...); code != exitPass {
			t.Fatalf("exit code %d, want %d", code, exitPass)
		}
		h, err := history.Load(filepath.Join(s.dir(t), history.FileName))
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(h.Ops, func(op history.Op) bool { return op.Func == history.CAS }) {
			t.Error("a store without cas was asked for one")
		}
		if code := s.run(append(run, "--workload", "register(mix=5/3/2)")...); code != exitUsage {
			t.Errorf("a mix with cas: exit code %d, want %d", code, exitUsage)
		}
		s.await(t, "the system single has no cas: write mix=5/3/0")
	})
}

// TestAStoreLikeRedis: it serves every workload for which it has commands, and two that
// have data of their own are caught by each.
func TestAStoreLikeRedis(t *testing.T) {
	machinetest.NeedWhole(t, "doctor examines the same store with every workload; this one runs them")
	file := ownSystem(t, "respstore")
	besideOthers(t, testplan.RuntimeLocal, func(t *testing.T, s *storm) {
		for _, workload := range []string{"register", "set", "append"} {
			run := []string{"run", "--system", file, "--workload", workload, "--nemesis", "none", "--time", "1s"}
			if code := s.runUnlessOverloaded(t, append(run, "--nodes", "1")...); code != exitPass {
				t.Errorf("%s: exit code %d, want %d", workload, code, exitPass)
			}
			if code := s.runUnlessOverloaded(t, append(run, "--nodes", "2")...); code != exitViolation {
				t.Errorf("%s, of two that share nothing: exit code %d, want %d", workload, code, exitViolation)
			}
		}
	})
}

// TestANodeThatIsNeverReady: the error says what was seen instead, and quotes the log.
func TestANodeThatIsNeverReady(t *testing.T) {
	file := ownSystem(t, "respstore")
	text := guidetest.Read(t, file)
	besideOthers(t, testplan.RuntimeLocal, func(t *testing.T, s *storm) {
		for ready, says := range map[string]string{
			"{port: 9999, within: 1s}":                       "not ready within 1s: n1: port 9999: connect: ",
			"{http: GET /health, within: 2s}":                "not ready within 2s: n1: GET /health at port 6379: ",
			`{log: "elected leader", within: 1s}`:            "no line of the output of n1 matches \"elected leader\"",
			"{port: redis}\nclient: {http: {functions: {}}}": "client is there twice",
		} {
			writeFile(t, filepath.Dir(file), "system.yaml", guidetest.Change(t, text, "ready: {port: redis}", "ready: "+ready))
			if code := s.run("run", "--system", file, "--nodes", "1", "--nemesis", "none", "--time", "1s"); code == exitPass {
				t.Errorf("%s: it passed", ready)
			}
			s.await(t, says)
		}
	})
}

// TestDoctorExaminesASystem: what is wrong is said, with what to do.
func TestDoctorExaminesASystem(t *testing.T) {
	file := ownSystem(t, "respstore")
	text := guidetest.Read(t, file)
	besideOthers(t, testplan.RuntimeLocal, func(t *testing.T, s *storm) {
		doctor := func(change, to string, code int, says ...string) {
			t.Helper()
			changed := text
			if change != "" {
				changed = guidetest.Change(t, text, change, to)
			}
			writeFile(t, filepath.Dir(file), "system.yaml", changed)
			if got := s.app.run(s.ctx, []string{"squall", "doctor", "--runtime", s.runtime, file}); got != code {
				t.Errorf("%s: exit code %d, want %d", to, got, code)
			}
			for _, text := range says {
				s.await(t, text)
			}
		}
		doctor("", "", exitPass, "✓ register cas", "✓ set add", "✓ append txn", "✓ append answers")
		doctor("source: ./server", "source: ./nothing", exitInvalid, "there is no such file: build it, or correct its name")
		if !machinetest.CI() { // each examination takes the processors for seconds
			return
		}
		doctor("[CAS,", "[CSA,", exitInvalid, "✗ register cas", "unknown command 'CSA'")
		doctor("command: /opt/respstore\n", "command: [/opt/respstore, -peers, \"${peers}\"]\n", exitInvalid,
			"flag provided but not defined: -peers", "as: /opt/respstore -peers 1=198.18.0.1")
		if machinetest.Whole() {
			doctor(`done: "1"`, `done: "2"`, exitInvalid, "✗ register cas", "means neither that it was done nor that it was refused")
			doctor("client:\n", "log: {leader: became leader}\nclient:\n", exitInvalid, "✗ leader", "compare log.leader with what its server writes")
		}
	})
}
