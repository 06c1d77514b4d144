package nodeimage

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// What stands where in a machine's file system. A server can write to its data
// directory and to the temporary directories, and nowhere else.
const (
	// BinaryPath is squall-node: agent, server and driver.
	BinaryPath = "/squall-node"
	// DataDir is for what a server must not lose. It is on a real disk.
	DataDir = "/data"
	// TempDir is in memory, and gone after a power cut.
	TempDir = "/tmp"
	// TempSize is how much fits each temporary directory, in bytes, and
	// TempFiles how many files.
	TempSize  = 64 << 20
	TempFiles = 16 << 10
)

const (
	// MaxProcesses is how many processes a machine's server may have, threads
	// included. Go programs have tens, a virtual machine of Java hundreds.
	MaxProcesses = 4096
	// agentProcesses are left to the agent and its helpers when the server has
	// taken all that it may.
	agentProcesses = 256
)

// MachineProcesses is how many processes, threads included, a machine may have.
const MachineProcesses = MaxProcesses + agentProcesses

// What the kernel counts by user, such as processes, one server must not use up
// for another, on this machine's cluster or on another's. So each has a user of
// its own, with a number out of a range that no distribution and no tool for
// containers gives out. In a user namespace it is one below 65,536, out of a
// range that Debian and systemd leave unused; there clusters share users.
const (
	serverUIDs      = 1_900_000_000
	uidClusters     = 1 << 19
	smallServerUIDs = 60600
	maxMachines     = 256 // of a cluster
)

// ServerUIDs are the users, by number, that the server on the i-th machine (from
// 0) of a cluster may have, the most wanted first.
func ServerUIDs(cluster string, i int) []int {
	h := fnv.New32a()
	h.Write([]byte(cluster))
	return []int{serverUIDs + int(h.Sum32()%uidClusters)*maxMachines + i, smallServerUIDs + i}
}

// AgentArgs are the arguments of the agent on the i-th machine of a cluster. With disk it lays a file
// system of squall's on the data directory, which writes a journal of at most so many bytes.
func AgentArgs(cluster string, i int, disk bool, journal int64) []string {
	var uids []string
	for _, uid := range ServerUIDs(cluster, i) {
		uids = append(uids, strconv.Itoa(uid))
	}
	args := []string{
		"-server-uids", strings.Join(uids, ","),
		"-server-processes", strconv.Itoa(MaxProcesses),
		"-data", DataDir,
	}
	if disk {
		args = append(args, "-disk", "-disk-journal", strconv.FormatInt(journal, 10))
	}
	return args
}
