package agent

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Where there is one user alone, servers have the agent's. What then keeps them
// from it is the kernel's Landlock: signals end at the server's own processes,
// and it writes where a server may, so not to the agent's files in /proc.

// leastLandlock is the version of Landlock that stops signals; Linux 6.12 has it.
const leastLandlock = 6

// mayFence says why this kernel cannot do that.
func mayFence() error {
	version, err := ll.LandlockGetABIVersion()
	if err != nil {
		return fmt.Errorf("the kernel has no Landlock: %w", err)
	}
	if version < leastLandlock {
		return fmt.Errorf("the kernel's Landlock has version %d, and from version %d (Linux 6.12) on it stops signals", version, leastLandlock)
	}
	return nil
}

// changing are the ways to change files. Reading and running them is not
// restricted: nothing is in a machine that its server must not see.
const changing = ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRemoveFile | ll.AccessFSRemoveDir |
	ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSMakeSym | ll.AccessFSMakeSock | ll.AccessFSMakeFifo |
	ll.AccessFSMakeChar | ll.AccessFSMakeBlock | ll.AccessFSRefer

// fenceIn puts this thread, and what it becomes, behind the fence, for good.
// dirs are the directories that it may change. no_new_privs must be set.
func fenceIn(dirs []string) error {
	config, err := landlock.NewConfig(landlock.AccessFSSet(changing), landlock.ScopedSet(ll.ScopeSignal))
	if err != nil {
		return fmt.Errorf("keeping the server from the agent: %w", err)
	}
	rules := []landlock.Rule{landlock.PathAccess(changing, existing(dirs)...)}
	if devices := existing([]string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}); len(devices) > 0 {
		rules = append(rules, landlock.PathAccess(ll.AccessFSWriteFile|ll.AccessFSTruncate, devices...))
	}
	ruleset, flags, err := config.NewRulesetFD(rules...)
	if err != nil {
		return fmt.Errorf("keeping the server from the agent: %w", err)
	}
	defer unix.Close(ruleset)
	if err := ll.LandlockRestrictSelf(ruleset, flags); err != nil {
		return fmt.Errorf("keeping the server from the agent: %w", err)
	}
	return nil
}

func existing(paths []string) (there []string) {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			there = append(there, path)
		}
	}
	return there
}
