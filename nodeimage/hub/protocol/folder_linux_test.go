package protocol

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const removeVar = "SQUALL_TEST_REMOVE"

// TestRemoveWhatAServerLocked: without root, a directory of mode 0 cannot be
// removed as it is. The test runs itself again as nobody special.
func TestRemoveWhatAServerLocked(t *testing.T) {
	if folder := os.Getenv(removeVar); folder != "" {
		if err := Folder(folder).Remove(); err != nil {
			t.Error(err)
		}
		return
	}
	folder := filepath.Join(t.TempDir(), "run")
	locked := filepath.Join(folder, "disks", "n1", "locked")
	if err := os.MkdirAll(filepath.Join(locked, "deeper"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(locked, "deeper"), locked} {
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		if err := Folder(folder).Remove(); err != nil {
			t.Error(err)
		}
	} else {
		removeAsUser(t, folder)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the folder is still there")
	}
}

// removeAsUser runs this test in a process whose user owns the folder.
func removeAsUser(t *testing.T, folder string) {
	t.Helper()
	const user = 60600
	for dir := filepath.Dir(folder); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "-R", "60600", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	self, err := os.Open("/proc/self/exe") // which that user may not be able to reach by its name
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.Command("/proc/self/fd/3", "-test.run=^TestRemoveWhatAServerLocked$")
	cmd.ExtraFiles, cmd.Dir = []*os.File{self}, "/"
	cmd.Env = append(os.Environ(), removeVar+"="+folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
