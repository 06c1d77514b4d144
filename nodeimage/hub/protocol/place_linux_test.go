package protocol

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes files below a new directory, which it returns.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
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

func TestFindPlaceInVersion1(t *testing.T) {
	mountinfo := `31 30 0:28 / /cg/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
34 30 0:31 /docker/abc /cg/memory rw,relatime - cgroup cgroup rw,memory
40 30 0:37 / /cg/unified rw,relatime - cgroup2 cgroup2 rw
`
	cgroup := "4:memory:/docker/abc/inner\n1:cpu,cpuacct:/user.slice\n0::/user.slice\n"
	places := found(mountinfo, cgroup, "cpu", "memory", "pids")
	for controller, want := range map[string]string{"cpu": "/cg/cpu/user.slice", "memory": "/cg/memory/inner"} {
		if place := places.Found[controller]; place.Unified || place.Parent != want {
			t.Errorf("%s: %+v, want %s", controller, place, want)
		}
	}
	if err := places.Lacks["pids"]; err == nil || !strings.Contains(err.Error(), "pids") {
		t.Errorf("a controller that is not mounted: %v", err)
	}
}

func found(mountinfo, cgroup string, controllers ...string) Places {
	p := Places{map[string]Place{}, map[string]error{}}
	p.find(controllers, mountinfo, cgroup)
	return p
}

// In version 2 a group with processes passes nothing on; one above it may.
func TestFindPlaceInVersion2(t *testing.T) {
	root := tree(t, map[string]string{
		"cgroup.controllers":                           "cpu memory pids\n",
		"cgroup.subtree_control":                       "cpu memory pids\n",
		"user/cgroup.controllers":                      "cpu memory pids\n",
		"user/cgroup.subtree_control":                  "memory pids\n",
		"user/session/cgroup.controllers":              "memory pids\n",
		"user/session/cgroup.subtree_control":          "\n",
		"user/session/terminal/cgroup.controllers":     "\n",
		"user/session/terminal/cgroup.subtree_control": "\n",
	})
	mountinfo := "30 1 0:27 / " + root + " rw - cgroup2 cgroup2 rw\n"
	const cgroup = "0::/user/session/terminal\n"
	places := found(mountinfo, cgroup, "memory", "cpuset")
	if place, want := places.Found["memory"], filepath.Join(root, "user"); !place.Unified || place.Parent != want {
		t.Errorf("memory: %+v (%v), want %s", place, places.Lacks["memory"], want)
	}
	// The search leaves groups of others as they are.
	if text, err := os.ReadFile(filepath.Join(root, "user/session/cgroup.subtree_control")); err != nil || string(text) != "\n" {
		t.Errorf("another's group was changed: %q, %v", text, err)
	}
	if places.Lacks["cpuset"] == nil {
		t.Error("a controller that nobody has was found")
	}
	// A process is in one group of version 2: both controllers are further up.
	places = found(mountinfo, cgroup, "memory", "cpu")
	for _, c := range []string{"memory", "cpu"} {
		if place := places.Found[c]; place.Parent != root {
			t.Errorf("%s: %+v, want %s", c, place, root)
		}
	}
	// Where no group passes both on, the first is taken.
	if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("pids\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	places = found(mountinfo, cgroup, "cpu", "memory")
	if place, want := places.Found["memory"], filepath.Join(root, "user"); place.Parent != want || places.Lacks["cpu"] == nil {
		t.Errorf("memory: %+v, want %s; cpu lacks %v", place, want, places.Lacks["cpu"])
	}
	// One that is wanted less costs no other.
	places = found(mountinfo, cgroup, "memory", "cpu", "pids")
	for _, c := range []string{"memory", "pids"} {
		if place, want := places.Found[c], filepath.Join(root, "user"); place.Parent != want || places.Lacks["cpu"] == nil {
			t.Errorf("%s: %+v, want %s; cpu lacks %v", c, place, want, places.Lacks["cpu"])
		}
	}
}

func TestLimitsAreRefusedByName(t *testing.T) {
	err := Settings()[1].Refusal(os.ErrPermission)
	for _, want := range []string{"memory: a limit cannot be set here", "permission denied", "--memory"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}
