package programtest

import (
	"os/exec"
	"syscall"
)

// endWithTest has a program end when the test's process does, however that ends: one that
// ran out of time cleans nothing up.
func endWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
