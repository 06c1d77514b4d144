// Package kv is a replicated key-value map on the Raft library: its state
// machine, its server, and the client of that server.
//
// # Client protocol, version 1
//
// A client opens a TCP connection (default port 4100) and sends a hello of 8
// bytes: the letters "sqkv", the protocol version (u16), and 0 (u16). The
// server answers with the same letters, its own version, and 0 when it goes on,
// or 1 when it does not speak the client's version; then it closes. All
// integers of fixed size are big endian; a uvarint is that of encoding/binary.
//
// Then both sides send frames. A frame is its length (u32, of what follows),
// the request's id (u64, chosen by the client, unique among its requests in
// flight), and a body. Requests are pipelined: a client need not wait for an
// answer before it sends the next request, and answers come in any order.
//
// The body of a request:
//
//	op (u8)      1 get, 2 put, 3 delete, 4 compare-and-set
//	key          uvarint length, bytes; at most 64 KiB
//	expect       compare-and-set only: 0 (u8), the key must be absent; or
//	             1 (u8), uvarint length, bytes: the key must hold this
//	value        put and compare-and-set only: uvarint length, bytes; at most 1 MiB
//
// The body of an answer is a status (u8) and what belongs to it:
//
//	1 ok               0 (u8): no value; or 1 (u8) and the value, to the end of the frame
//	2 compare failed   likewise: what the key holds instead of the expected value
//	3 failed           code (u8), text to the end: the operation certainly had
//	                   no effect and never will
//	4 unknown          code (u8), text to the end: the operation may or may not
//	                   have taken effect, now or later
//
// A get is answered "ok" with the value, or without one when the key does not
// exist. A get has no effect, so it is never answered "unknown". The codes are
// those of [Code]. A frame that breaks these rules ends the connection.
//
// # Among the nodes
//
// A node that is not the leader forwards a request to the leader and relays the
// answer. A forwarded request is never forwarded again. While no leader is
// known, or none can be reached, the request waits for a moment (see
// [Config.LeaderWait]) and then fails.
//
// Nodes speak to each other on another port (default 4101), on two TCP
// connections in each direction: one for Raft's messages and one for forwarded
// requests, so that neither heartbeats nor requests wait behind the other.
// Each begins with a hello of 32 bytes: "sqpr", version (u16), kind (u8: 1
// Raft, 2 requests), 0 (u8), the cluster's name (u64, its hash), the sender's
// id (u64), the receiver's id (u64); the answer is "sqpr", version (u16), and a
// verdict (u16, 0: welcome). Raft frames are a length (u32) and the message; a
// length of 0 says no more than "I am here". A connection for requests speaks
// the client protocol.
package kv
