// Package disk is a file system of squall's own, over FUSE, that may lie on the
// data directory of a machine: it does what the disk below it does, knows what
// was synced (package nodeimage/disk), and can be made to lose, tear, delay and damage.
//
// Where it lies, the data directory below it has a directory .squall-disk:
//
//	tree/        what servers see, as it was written
//	trash/       what has no name any more, but a power cut may bring back
//	journal/     one journal for each time it was mounted, where asked for
//	probe        the file of Probe
//	cut.json     what the last cut has left
//
// It is a process of its own, the agent's helper: process 1 must not wait for
// a file system that it serves itself. It has the agent's user and no
// capability. The agent mounts it (Mount), hands /dev/fuse down, and talks to it over its stdin and
// stdout, in lines of JSON (Serve). When either of the two ends, servers get errors for everything.
//
// Supported are files, directories, symbolic and hard links, mmap, O_DIRECT,
// O_SYNC and O_DSYNC, locks (the kernel's), fallocate with its modes for zeros and holes,
// files that are removed while they are open. Not supported: devices, pipes and
// sockets (EOPNOTSUPP), extended attributes, other owners than the server's user
// (EPERM), fallocate that moves bytes (EOPNOTSUPP). The owner can always read and write a file. sync(2) and
// syncfs(2) do not reach a FUSE file system, so they make nothing durable here.
package disk
