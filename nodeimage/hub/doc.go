// Package hub makes the machines of a cluster without Docker, out of Linux
// namespaces, and holds them.
//
// The hub is one process in a network, mount and process-id namespace of its
// own (and, without root, a user namespace in which it may do all this). Its
// network namespace holds a bridge, the cluster's switch; nothing is added to
// the network of the host. Each machine is a process in namespaces below
// those: its own network with one leg on the bridge, its own file system, its
// own process ids, its own host name. It becomes squall's agent as process 1,
// with the capabilities NET_ADMIN and NET_RAW and no other.
//
// The hub is process 1 of its process-id namespace. When it dies, however that
// happens, the kernel kills every process of every machine, and with the last
// process go the namespaces, their mounts and their interfaces. When its stdin
// ends, the one who commanded it is gone: it takes everything down, removes the
// run's control groups and folder, and exits.
//
// Package protocol, below this one, says how it is commanded.
package hub
