package machinetest

import (
	"math/rand/v2"
	"net/netip"
)

// Address is a loopback address that nobody else uses. A server that is to have its
// address before it runs takes a port below 32768 on it. A free port of 127.0.0.1, found
// by listening and closed again, may belong to somebody else by then: the system hands
// such ports to every connection of every process.
func Address() netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(250)), byte(1 + rand.IntN(250))})
}
