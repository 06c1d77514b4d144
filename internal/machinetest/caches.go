package machinetest

import (
	"os/exec"
	"strings"
	"testing"
)

// OwnCache gives a test an empty cache of squall's, which is beneath the folder that
// it returns, and leaves Go's where it is: a build with an empty one would compile
// Go's library, which takes a minute.
func OwnCache(t testing.TB) (folder string) {
	t.Helper()
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		t.Setenv(name, GoEnv(t, name))
	}
	folder = t.TempDir()
	t.Setenv("XDG_CACHE_HOME", folder)
	return folder
}

// GoEnv is a setting of the go command, such as GOCACHE.
func GoEnv(t testing.TB, name string) string {
	t.Helper()
	value, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(value))
}
