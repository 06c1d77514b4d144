// Package shape makes links bad: it delays, loses, duplicates, reorders,
// corrupts and slows what a machine sends to chosen addresses.
//
// What happens to a packet is decided by a pure, seeded model (Model), from the
// number of the packet alone. Two engines carry it out:
//
//   - nfqueue: the kernel hands the packets to this process (NFQUEUE), which
//     lets them pass, throws them away or sends them later. It can do all.
//   - netem: the kernel's queueing discipline, where the kernel has it and can
//     do what is asked. It decides by itself, from the same seed.
//
// A packet that is to be sent later is copied and taken from the kernel at once,
// and the copy is sent by a raw socket when it is due. Were the kernel's own
// packet held instead, it would count as not yet sent by its socket, and a TCP
// connection that has a few of those stops sending: a link of 50 ms would let
// through three small packets in 50 ms, which no network does. Only what raw
// sockets cannot send (packets beyond the interface's MTU, which are cut up
// later) is held in the kernel.
//
// The queue is only for packets under a Shape, and its rule lets packets pass
// when nobody reads the queue. The engines run on Linux only.
package shape
